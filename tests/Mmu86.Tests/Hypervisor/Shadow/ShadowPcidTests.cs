using Mmu86.Hypervisor.Shadow;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Loaders;
using Mmu86.Paging;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Hypervisor.Shadow;

/// <summary>PCIDs and global pages of a guest on shadow tables: what it may remember, it remembers as it does on a processor of its own; what it must forget, it forgets.</summary>
public sealed class ShadowPcidTests
{
    private const ulong RootA = TwoRootsProgram.RootA, RootB = TwoRootsProgram.RootB;

    [Fact]
    public void LoadCr3_ThatKeeps_ShowsTheOldPageUntilALoadThatDoesNot()
    {
        var program = new TwoRootsProgram(Cr4.PcidEnable);
        program.EmitLoad(RootA, 1, keeps: true);
        program.EmitLook();
        program.EmitLoad(RootB, 2, keeps: true);
        program.EmitLook();
        program.EmitSwap(RootA);
        program.EmitLoad(RootA, 1, keeps: true);
        program.EmitLook();
        program.EmitLoad(RootA, 1, keeps: false);
        program.EmitLook();

        AssertSees(program, isGlobal: false, 1, 2, 1, 2);
    }

    // The same root under two PCIDs: what one forgets, the other may keep.
    [Theory]
    [InlineData(0, 1, 2)] // one page of PCID 1
    [InlineData(1, 1, 2)]
    [InlineData(1, 2, 1)]
    [InlineData(0, 2, 1)]
    [InlineData(2, 0, 2)]
    [InlineData(3, 0, 2)]
    public void Invpcid_FromAnotherPcid_ActsOnThePcidThatItNames(int type, int pcid, byte seen)
    {
        var program = new TwoRootsProgram(Cr4.PcidEnable);
        program.EmitLoad(RootA, 1, keeps: true);
        program.EmitLook();
        program.EmitLoad(RootA, 3, keeps: true);
        program.EmitLook();
        program.EmitSwap(RootA);
        program.EmitInvpcid(type, pcid);
        program.EmitLoad(RootA, 1, keeps: true);
        program.EmitLook();
        program.EmitLoad(RootA, 1, keeps: false);
        program.EmitLook();

        AssertSees(program, isGlobal: false, 1, 1, seen, 2);
    }

    [Theory]
    [InlineData(0, 1, 2)]
    [InlineData(0, 2, 1)]
    [InlineData(1, 1, 2)]
    [InlineData(1, 2, 1)]
    [InlineData(2, 0, 2)]
    [InlineData(3, 0, 2)]
    public void Invpcid_FromThePcidItself_ActsAtOnce(int type, int pcid, byte seen)
    {
        var program = new TwoRootsProgram(Cr4.PcidEnable);
        program.EmitLoad(RootA, 1, keeps: true);
        program.EmitLook();
        program.EmitSwap(RootA);
        program.EmitInvpcid(type, pcid);
        program.EmitLook();

        AssertSees(program, isGlobal: false, 1, seen);
    }

    // PCID 1 was used with both roots. INVLPG under one of them is for the PCID, whatever its root.
    [Fact]
    public void Invlpg_UnderOneRootOfAPcid_IsObeyedUnderTheOther()
    {
        var program = new TwoRootsProgram(Cr4.PcidEnable);
        program.EmitLoad(RootA, 1, keeps: true);
        program.EmitLook();
        program.EmitLoad(RootB, 1, keeps: false);
        program.EmitLook();
        program.EmitSwap(RootA);
        program.Code.invlpg(__byte_ptr[TwoRootsProgram.Page]);
        program.EmitLoad(RootA, 1, keeps: true);
        program.EmitLook();

        AssertSees(program, isGlobal: false, 1, 2, 2);
    }

    [Fact]
    public void GlobalPage_IsSeenUnderAnotherRootUntilItIsInvalidated()
    {
        var program = new TwoRootsProgram(Cr4.PageGlobalEnable);
        program.EmitLook();
        program.EmitLoad(RootB, 0, keeps: false);
        program.EmitLook();
        program.Code.invlpg(__byte_ptr[TwoRootsProgram.Page]);
        program.EmitLook();
        program.EmitLoad(RootA, 0, keeps: false);
        program.EmitLook();

        // Any of PGE, INVPCID of all and CR0.PG makes it forgotten.
        program.EmitInvpcid(2, 0);
        program.EmitLook();
        program.EmitLoad(RootB, 0, keeps: false);
        program.EmitInvpcid(3, 0);
        program.EmitLook();
        program.Code.mov(rax, cr4);
        program.Code.xor(rax, (int)Cr4.PageGlobalEnable);
        program.Code.mov(cr4, rax);
        program.EmitLook();

        AssertSees(program, isGlobal: true, 1, 1, 2, 2, 1, 1, 2);
    }

    // Both roots had the page in their tables. INVLPG of a global page is for every PCID.
    [Fact]
    public void Invlpg_OfAGlobalPage_IsObeyedUnderOtherPcids()
    {
        var program = new TwoRootsProgram(Cr4.PageGlobalEnable | Cr4.PcidEnable);
        program.EmitSwap(RootB);
        program.EmitLoad(RootA, 1, keeps: true);
        program.EmitLook();
        program.EmitInvpcid(2, 0);
        program.EmitLoad(RootB, 2, keeps: true);
        program.EmitLook();
        program.EmitLoad(RootA, 1, keeps: true);
        program.EmitSwap(RootA);
        program.EmitSwap(RootB);
        program.Code.invlpg(__byte_ptr[TwoRootsProgram.Page]);
        program.EmitLoad(RootB, 2, keeps: true);
        program.EmitLook();

        AssertSees(program, isGlobal: true, 1, 1, 2);
    }

    [Fact]
    public void GlobalPage_WithoutPge_IsNotGlobal()
    {
        var program = new TwoRootsProgram(Cr4.PcidEnable);
        program.EmitLook();
        program.EmitLoad(RootB, 0, keeps: false);
        program.EmitLook();
        program.EmitLoad(RootA, 1, keeps: true);
        program.EmitLook();

        AssertSees(program, isGlobal: true, 1, 2, 1);
    }

    // Nehalem has none: all shadow tables are the same to it.
    [Fact]
    public void LoadCr3_OfAProcessorWithoutPcids_ForgetsTheOtherRoot()
    {
        var program = new TwoRootsProgram(Cr4.None);
        program.EmitLook();
        program.EmitLoad(RootB, 0, keeps: false);
        program.EmitLook();
        program.EmitLoad(RootA, 0, keeps: false);
        program.EmitLook();

        byte[] log = Run(program.Build(isGlobal: false), PagingMode.Shadow, "nehalem", 16 << 20).Log;

        Assert.Equal([1, 2, 1], log[..3]);
    }

    // Neither entry lets the kernel write, so a store faults whichever the processor has; with the fault it forgets the one that it has.
    [Fact]
    public void PageFault_OfAPageWhoseEntryChanged_ShowsTheNewPage()
    {
        var program = new TwoRootsProgram(Cr4.None);
        program.EmitFaultHandler();
        program.EmitStore(TwoRootsProgram.EntryUnder(RootA), TwoRootsProgram.Page | PagingEntry.PageSizeBit | PagingEntry.Present);
        program.EmitLoad(RootA, 0, keeps: false);
        program.EmitLook();
        program.EmitSwap(RootA);
        program.EmitLook();
        program.EmitStoreThatFaults();
        program.EmitLook();

        AssertSees(program, isGlobal: false, 1, 1, 2);
    }

    // Whatever is seen of a directory entry that changed, before that is demanded: behind a demand all below it is new.
    [Fact]
    public void LoadCr3_AfterAnAccessBelowAChangedDirectoryEntry_ShowsTheNewTable()
    {
        const ulong OldTable = RootA + 0x6000, NewTable = RootA + 0x7000, DirectoryEntry = RootA + 0x2040, Range = 16 << 20;
        var program = new TwoRootsProgram(Cr4.None);
        foreach (ulong page in new ulong[] { 0, 1 })
        {
            program.EmitStore(OldTable + (page * 8), TwoRootsProgram.Page | 3);
            program.EmitStore(NewTable + (page * 8), TwoRootsProgram.OtherFrame | 3);
        }

        program.EmitStore(DirectoryEntry, OldTable | 3);
        program.EmitLook(Range);
        program.EmitStore(DirectoryEntry, NewTable | 3);
        program.Code.mov(rsi, Range + 0x1000);
        program.Code.mov(al, __[rsi]);
        program.EmitLoad(RootA, 0, keeps: false);
        program.EmitLook(Range);
        program.EmitLook(Range + 0x1000);

        AssertSees(program, isGlobal: false, 1, 2, 2);
    }

    // A large page comes in the place of a table, of which the processor knows a page that nobody invalidated.
    [Fact]
    public void LoadCr3_AfterALargePageCameInPlaceOfATable_ShowsAllOfIt()
    {
        const ulong Table = RootA + 0x6000, DirectoryEntry = RootA + 0x2040, Range = 16 << 20;
        var program = new TwoRootsProgram(Cr4.None);
        program.EmitStore(Table, TwoRootsProgram.Page | 3);
        program.EmitStore(Table + 8, TwoRootsProgram.Page | 3);
        program.EmitStore(TwoRootsProgram.OtherFrame + 0x1000, 3);
        program.EmitStore(DirectoryEntry, Table | 3);
        program.EmitLook(Range);
        program.EmitLook(Range + 0x1000);
        program.EmitStore(DirectoryEntry, TwoRootsProgram.OtherFrame | PagingEntry.PageSizeBit | 3);
        program.Code.mov(rsi, Range);
        program.Code.invlpg(__byte_ptr[rsi]);
        program.EmitLook(Range);
        program.EmitLoad(RootA, 0, keeps: false);
        program.EmitLook(Range + 0x1000);

        AssertSees(program, isGlobal: false, 1, 1, 2, 3);
    }

    // The frame of root B's directory is a table of root A's for a while. When it is none any more, a write to it is like any other.
    [Fact]
    public void Write_ToAFrameThatIsNoTableAnyMore_IsNotNoticed()
    {
        var program = new TwoRootsProgram(Cr4.None);
        program.EmitLook();
        program.EmitStore(RootA + 0x1008, (RootB + 0x2000) | 3); // noticed
        program.EmitLook((1UL << 30) | TwoRootsProgram.Page);
        program.EmitStore(RootA + 0x1008, 0); // still known to be out of step
        program.EmitLoad(RootA, 0, keeps: false);
        program.EmitStore(RootB + 0x2800, 0);
        program.EmitLoad(RootA, 0, keeps: false);
        program.EmitStore(RootB + 0x2800, 1);

        (_, ShadowCounts? counts) = Run(program.Build(isGlobal: false), PagingMode.Shadow, "skylake", 16 << 20);

        Assert.Equal(1UL, counts!.WriteProtectFaults);
    }

    // A global page of two roots becomes a table of the guest's. Whoever writes to it by what the processor remembers must be noticed.
    [Fact]
    public void GlobalPage_ThatBecomesATable_IsNotWrittenUnnoticed()
    {
        const ulong NewTable = TwoRootsProgram.Page + 0x1000;
        var program = new TwoRootsProgram(Cr4.PageGlobalEnable);
        program.EmitSwap(RootB); // both have the same
        program.Code.mov(__byte_ptr[NewTable + 0x123], 5);
        program.EmitLoad(RootB, 0, keeps: false);

        // A directory in the page, that root B uses for the second gigabyte: its first entry leads to the page's own memory.
        program.Code.mov(rax, TwoRootsProgram.Page | PagingEntry.PageSizeBit | 3);
        program.Code.mov(rsi, NewTable);
        program.Code.mov(__[rsi], rax);
        program.Code.mov(rdi, RootB + 0x1008);
        program.Code.mov(rax, NewTable | 3);
        program.Code.mov(__[rdi], rax);
        program.Code.mov(r14, 1UL << 30);
        Look();

        // By the global page, to the other memory.
        program.Code.xor(__qword_ptr[rsi], 0x20_0000);
        program.EmitLoad(RootB, 0, keeps: false);
        Look();

        AssertSees(program, isGlobal: true, 1, 2);

        void Look()
        {
            program.Code.mov(al, __[r14]);
            program.Code.mov(__byte_ptr[r15], al);
            program.Code.inc(r15);
        }
    }

    // Root A has no table in the large page, root B has one: were the page mapped whole for a store of root A beside it, a store to it would not be noticed.
    [Fact]
    public void LargePage_WithATableOfAnotherRoot_IsNotWrittenUnnoticed()
    {
        const ulong Table = TwoRootsProgram.Page + 0x1000, DirectoryEntry = RootB + 0x2040, Range = 16 << 20;
        var program = new TwoRootsProgram(Cr4.None);
        program.EmitStore(Table, TwoRootsProgram.Page | 3);
        program.EmitStore(DirectoryEntry, Table | 3);
        program.EmitLoad(RootB, 0, keeps: false);
        program.EmitLook(Range);
        program.EmitLoad(RootA, 0, keeps: false);
        program.EmitStore(Table + 0x1000, 5);
        program.EmitStore(Table, TwoRootsProgram.OtherFrame | 3);
        program.EmitLoad(RootB, 0, keeps: false);
        program.EmitLook(Range);

        AssertSees(program, isGlobal: false, 1, 2);
    }

    // The processor has 4096 PCIDs; a guest may have more roots than that, and uses each of its own PCIDs with both here.
    [Fact]
    public void Run_MoreAddressSpacesThanTheProcessorHasPcids_UsesThemAnew()
    {
        const int Pcids = 4096;
        var program = new TwoRootsProgram(Cr4.PcidEnable);
        program.Code.xor(ebx, ebx);
        foreach (ulong root in new[] { RootA, RootB })
        {
            Iced.Intel.Label next = program.Code.CreateLabel();
            program.Code.xor(ecx, ecx);
            program.Code.Label(ref next);
            program.Code.mov(rax, root);
            program.Code.or(rax, rcx);
            program.Code.mov(cr3, rax);
            program.Code.movzx(eax, __byte_ptr[TwoRootsProgram.Page]);
            program.Code.add(ebx, eax);
            program.Code.inc(ecx);
            program.Code.cmp(ecx, Pcids);
            program.Code.jb(next);
        }

        program.Code.mov(__[r15], rbx);

        (byte[] log, ShadowCounts? counts) = Run(program.Build(isGlobal: false), PagingMode.Shadow, "ideal", 4UL << 30);

        Assert.Equal(3 * Pcids, BitConverter.ToInt32(log));
        Assert.Equal(Pcids + 1UL, counts!.SpacesDropped); // and the loader's
    }

    private static void AssertSees(TwoRootsProgram program, bool isGlobal, params byte[] expected)
    {
        byte[] image = program.Build(isGlobal);
        foreach (PagingMode paging in Enum.GetValues<PagingMode>())
        {
            byte[] seen = Run(image, paging, "skylake", 16 << 20).Log[..expected.Length];
            Assert.Equal($"{paging}: {string.Join(' ', expected)}", $"{paging}: {string.Join(' ', seen)}");
        }
    }

    private static (byte[] Log, ShadowCounts? Counts) Run(byte[] image, PagingMode paging, string machine, ulong memoryBytes)
    {
        var options = new RunOptions
        {
            Program = new ProgramImage { Name = "program", Bytes = image, Arguments = [] },
            Format = ImageKind.Flat,
            LoadAddress = TwoRootsProgram.LoadAddress,
            Entry = TwoRootsProgram.Entry,
            Machine = MachineCatalogue.Find(machine, []),
            Paging = paging,
            GuestPage = PageSize.Size2M,
            HostPage = PageSize.Size2M,
            Fidelity = Fidelity.Tlb,
            MemoryBytes = memoryBytes,
            Seed = 1,
        };
        using GuestMachine guest = GuestMachine.Build(options, GuestOutput.None, null);
        ExitReport exit = guest.Run(10_000_000, _ => { })!;
        Assert.Equal((ExitKind.Exited, 1, null), (exit.Kind, exit.Status, exit.Detail));
        byte[] log = new byte[64];
        Assert.True(guest.TryPeek(new LinearAddress(TwoRootsProgram.Log), AccessKind.Read, log));
        return (log, guest.Virtual?.Shadow?.Counts);
    }
}
