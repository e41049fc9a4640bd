using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The code of <c>kernel-stale-translation</c>.</summary>
/// <remarks>
/// Two frames hold 1 and 2; a read that gives 1 used the old translation, one that gives 2 the new. SDM 3, "Operations that Invalidate TLBs
/// and Paging-Structure Caches" and "Delayed Invalidation".
/// </remarks>
internal sealed class StaleTranslationKernel
{
    /// <summary>What invalidates, in the order of the lines that say so.</summary>
    public static readonly string[] Invalidations =
    [
        "INVLPG", "INVLPG after the table changed", "MOV to CR3", "CR4.PGE toggled, global page", "INVLPG elsewhere in a 2 MiB page",
    ];

    private const int PageFault = 14;
    private const byte GlobalEnableBit = 7;
    private const ulong Page = KernelSupport.Region;
    private const ulong NextPage = Page + GuestPageSize.FourKibibytes;

    /// <summary>A page that only the second page directory entry maps.</summary>
    private const ulong LargePage = Page + GuestPageSize.TwoMebibytes;

    private readonly GuestAssembler _guest;
    private readonly Assembler _code;
    private readonly KernelSupport _kernel;
    private readonly ulong _pdpt;
    private readonly ulong _directory;
    private readonly ulong _table;
    private readonly ulong _otherTable;
    private readonly ulong _faults;
    private readonly ulong _old;
    private readonly ulong _new;
    private readonly ulong _oldLarge;
    private readonly ulong _newLarge;
    private Label _report;

    public StaleTranslationKernel(GuestAssembler guest)
    {
        _guest = guest;
        _code = guest.Code;
        _kernel = new KernelSupport(guest);
        _report = guest.Code.CreateLabel();
        _faults = guest.Reserve("faults", 8, 8);
        _pdpt = ReservePage("region_pdpt");
        _directory = ReservePage("region_page_directory");
        _table = ReservePage("region_page_table");
        _otherTable = ReservePage("other_page_table");
        _old = ReservePage("data");
        _new = ReservePage("new_frame");
        _oldLarge = guest.Reserve("old_large_frame", GuestPageSize.TwoMebibytes, GuestPageSize.TwoMebibytes);
        _newLarge = guest.Reserve("new_large_frame", GuestPageSize.TwoMebibytes, GuestPageSize.TwoMebibytes);
    }

    public void Emit()
    {
        _kernel.EmitStart(globality: 0);
        EmitRegion();
        EmitForgotten();
        EmitInvalidated();
        _guest.Exit();
        EmitReport();
        EmitPageFault();
        _kernel.EmitUnexpectedExceptions();
    }

    private void EmitRegion()
    {
        foreach ((ulong frame, int value) in new[] { (_old, 1), (_new, 2), (_oldLarge, 1), (_newLarge, 2) })
            _code.mov(__qword_ptr[frame], value);
        _kernel.SetEntry(_kernel.Pml4, 1, _pdpt | PagingFlags.Kernel);
        _kernel.SetEntry(_pdpt, 0, _directory | PagingFlags.Kernel);
        _kernel.SetEntry(_directory, 0, _table | PagingFlags.Kernel);
        _kernel.SetEntry(_directory, 1, _oldLarge | PagingFlags.Kernel | PagingFlags.PageSize);
        _kernel.SetEntry(_table, 0, _old | PagingFlags.Kernel);
        _kernel.SetEntry(_table, 1, _old | PagingFlags.Kernel);
        _kernel.SetEntry(_otherTable, 0, _new | PagingFlags.Kernel);
        _kernel.SetEntry(_otherTable, 1, _new | PagingFlags.Kernel);
    }

    /// <summary>The part whose output depends on the machine.</summary>
    private void EmitForgotten()
    {
        _guest.Load(rsi, Page);
        _guest.Load(rdi, NextPage);
        _code.mov(rax, __[rsi]);
        _kernel.SetEntry(_table, 0, _new | PagingFlags.Kernel);
        _code.mov(rbx, __[rsi]);
        EmitSay("page changed, no INVLPG");

        // Reading the first page lets a cache of PDEs know the table; the second page was never read.
        _kernel.SetEntry(_table, 0, _old | PagingFlags.Kernel);
        _guest.Load(rsi, Page);
        _guest.Load(rdi, NextPage);
        _code.invlpg(__[rsi]);
        _code.mov(rax, __[rsi]);
        _kernel.SetEntry(_directory, 0, _otherTable | PagingFlags.Kernel);
        _code.mov(rbx, __[rdi]);
        EmitSay("table changed, no INVLPG, page not used before");
        EmitRightsForgotten();
    }

    private void EmitRightsForgotten()
    {
        Label fault = _code.CreateLabel(), said = _code.CreateLabel();
        const byte WriteProtectBit = 16;
        _code.mov(rax, cr0);
        _code.bts(rax, WriteProtectBit);
        _code.mov(cr0, rax);
        _kernel.SetEntry(_directory, 0, _table | PagingFlags.Kernel);
        _kernel.SetEntry(_table, 0, _old | PagingFlags.Present);
        _guest.Load(rsi, Page);
        _code.invlpg(__[rsi]);
        _code.mov(rax, __[rsi]);
        _kernel.SetEntry(_table, 0, _old | PagingFlags.Kernel);
        _code.mov(__qword_ptr[rsi], 1);
        _guest.Print("page made writable, no INVLPG: ");
        _code.cmp(__qword_ptr[_faults], 0);
        _code.jne(fault);
        _guest.Print("no fault\n");
        _code.jmp(said);
        _code.Label(ref fault);
        _guest.Print("fault\n");
        _code.Label(ref said);
    }

    /// <summary>The part that has one right output: each time the old translation is used, changed and invalidated.</summary>
    private void EmitInvalidated()
    {
        EmitChange(Page, Page, _table, 0, _old, _new, 0, () => _code.invlpg(__[rdi]));
        EmitSay(Invalidations[0]);

        EmitChange(NextPage, NextPage, _directory, 0, _table, _otherTable, 0, () => _code.invlpg(__[rdi]));
        EmitSay(Invalidations[1]);

        _kernel.SetEntry(_directory, 0, _table | PagingFlags.Kernel);
        EmitReloadCr3();
        EmitChange(Page, Page, _table, 0, _old, _new, 0, EmitReloadCr3);
        EmitSay(Invalidations[2]);

        EmitToggleGlobalEnable();
        EmitChange(Page, Page, _table, 0, _old, _new, PagingFlags.Global, () =>
        {
            EmitToggleGlobalEnable();
            EmitToggleGlobalEnable();
        });
        EmitSay(Invalidations[3]);

        ulong elsewhere = LargePage + (37 * GuestPageSize.FourKibibytes);
        EmitChange(LargePage, elsewhere, _directory, 1, _oldLarge, _newLarge, PagingFlags.PageSize, () => _code.invlpg(__[rdi]));
        EmitSay(Invalidations[4]);
    }

    /// <summary>Puts the old target in force, reads through it, puts the new one in, invalidates, reads again into RBX.</summary>
    private void EmitChange(ulong page, ulong toInvalidate, ulong table, int index, ulong oldTarget, ulong newTarget, ulong flags, Action invalidate)
    {
        _kernel.SetEntry(table, index, oldTarget | PagingFlags.Kernel | flags);
        _guest.Load(rsi, page);
        _guest.Load(rdi, toInvalidate);
        _code.invlpg(__[rsi]);
        _code.mov(rax, __[rsi]);
        _kernel.SetEntry(table, index, newTarget | PagingFlags.Kernel | flags);
        invalidate();
        _code.mov(rbx, __[rsi]);
    }

    private void EmitReloadCr3()
    {
        _code.mov(rax, cr3);
        _code.mov(cr3, rax);
    }

    private void EmitToggleGlobalEnable()
    {
        _code.mov(rax, cr4);
        _code.btc(rax, GlobalEnableBit);
        _code.mov(cr4, rax);
    }

    private void EmitSay(string what)
    {
        _guest.Print($"{what}: ");
        _code.call(_report);
    }

    /// <summary>The function that says which frame's content is in RBX.</summary>
    private void EmitReport()
    {
        Label isNew = _code.CreateLabel();
        _guest.BeginFunction("report", ref _report);
        _code.cmp(rbx, 1);
        _code.jne(isNew);
        _guest.Print("old\n");
        _code.ret();
        _code.Label(ref isNew);
        _guest.Print("new\n");
        _code.ret();
    }

    /// <summary>The handler: a fault by a translation that is out of date removes it, so the write is simply tried again.</summary>
    private void EmitPageFault()
    {
        _kernel.BeginHandler(PageFault, "on_page_fault");
        _code.inc(__qword_ptr[_faults]);
        _code.add(rsp, 8);
        _code.iretq();
    }

    private ulong ReservePage(string name) => _guest.Reserve(name, KernelSupport.TableBytes, KernelSupport.TableBytes);
}
