using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The code of <c>kernel-demand-paging</c>.</summary>
/// <remarks>
/// A region of 16 MiB starts without any page. The page-fault handler gives an absent page a zeroed frame, makes a read-only page writable,
/// an execute-disable page executable, and repairs a reserved bit. Between accesses the kernel looks at the entries and at what the handler saw.
/// </remarks>
internal sealed class DemandPagingKernel
{
    /// <summary>The most pages that can be swept.</summary>
    public const ulong MostPages = RegionPages - FirstSweptPage;

    private const ulong RegionPages = 4096;
    private const ulong FirstSweptPage = 16;
    private const int PageFault = 14;
    private const byte WriteProtectBit = 16;

    // Error codes: SDM 3, "Page-Fault Exceptions".
    private const int Protection = 1;
    private const int Write = 2;
    private const int Reserved = 8;
    private const int InstructionFetch = 16;

    // Where the PML4 and the region's PDPT are used otherwise: an alias through an entry with a reserved bit, and a large page.
    private const int AliasPml4Index = 2;
    private const ulong Alias = 2 * KernelSupport.Region;
    private const int LargePdptIndex = 1;
    private const ulong LargePage = KernelSupport.Region + GuestPageSize.OneGibibyte;

    private readonly GuestAssembler _guest;
    private readonly Assembler _code;
    private readonly KernelSupport _kernel;
    private readonly KernelChecks _checks;
    private readonly ulong _pages;
    private readonly ulong _pdpt;
    private readonly ulong _directory;
    private readonly ulong _largeDirectory;
    private readonly ulong _tables;
    private readonly ulong _faults;
    private readonly ulong _lastError;
    private readonly ulong _lastAddress;
    private readonly ulong _nextFrame;
    private readonly ulong _frames;
    private readonly ulong _largeFrame;

    public DemandPagingKernel(GuestAssembler guest, ulong pages)
    {
        _guest = guest;
        _code = guest.Code;
        _pages = pages;
        _kernel = new KernelSupport(guest);
        _checks = new KernelChecks(guest);
        _faults = guest.Reserve("faults", 8, 8);
        _lastError = guest.Reserve("last_error", 8, 8);
        _lastAddress = guest.Reserve("last_address", 8, 8);
        _nextFrame = guest.Reserve("next_frame", 8, 8);
        _pdpt = guest.Reserve("region_pdpt", KernelSupport.TableBytes, KernelSupport.TableBytes);
        _directory = guest.Reserve("region_page_directory", KernelSupport.TableBytes, KernelSupport.TableBytes);
        _largeDirectory = guest.Reserve("large_page_directory", KernelSupport.TableBytes, KernelSupport.TableBytes);
        _tables = guest.Reserve("region_page_tables", RegionPages * 8, KernelSupport.TableBytes);
        _frames = guest.Reserve("data", (pages + FirstSweptPage) * KernelSupport.TableBytes, KernelSupport.TableBytes);
        _largeFrame = guest.Reserve("large_frame", GuestPageSize.TwoMebibytes, GuestPageSize.TwoMebibytes);
    }

    /// <summary>What the kernel prints on a machine that follows the manual.</summary>
    public string OutputIfRight => _checks.OutputIfRight;

    public void Emit()
    {
        const uint ExtendedFeatures = 0xC000_0080, ExecuteDisableEnable = 1 << 11;
        _kernel.EmitStart(globality: 0);
        _kernel.EmitSetMsrBits(ExtendedFeatures, ExecuteDisableEnable);
        EmitSetWriteProtect();
        EmitRegion();
        EmitFirstTouches();
        EmitFlagsAgain();
        EmitRights();
        EmitReservedBit();
        EmitLargePage();
        EmitSweep();
        _checks.EmitFinish();
        EmitPageFault();
        _kernel.EmitUnexpectedExceptions();
    }

    private void EmitRegion()
    {
        _kernel.SetEntry(_kernel.Pml4, 1, _pdpt | PagingFlags.Kernel);
        _kernel.SetEntry(_pdpt, 0, _directory | PagingFlags.Kernel);
        for (int i = 0; i < (int)RegionPages / 512; i++)
            _kernel.SetEntry(_directory, i, (_tables + ((ulong)i * KernelSupport.TableBytes)) | PagingFlags.Kernel);
        _guest.Load(rax, _frames);
        _code.mov(__[_nextFrame], rax);
    }

    private void EmitFirstTouches()
    {
        ExpectFlags("the PML4 entry of the region is not accessed before the first access", _kernel.Pml4 + 8, PagingFlags.AccessedAndDirty, 0);
        EmitRead(PageAddress(0));
        _checks.Expect("an absent page reads as zero", 0);
        ExpectFault("reading an absent page", 1, 0, PageAddress(0));
        ExpectFlags("after the read the page is accessed and not dirty", Entry(0), PagingFlags.AccessedAndDirty, PagingFlags.Accessed);
        ExpectFlags("after the read the PML4 entry is accessed", _kernel.Pml4 + 8, PagingFlags.Accessed, PagingFlags.Accessed);
        ExpectFlags("after the read the PDPTE is accessed", _pdpt, PagingFlags.Accessed, PagingFlags.Accessed);
        ExpectFlags("after the read the PDE is accessed", _directory, PagingFlags.Accessed, PagingFlags.Accessed);
        EmitWrite(PageAddress(0), 1);
        ExpectFlags("after a write the page is dirty", Entry(0), PagingFlags.AccessedAndDirty, PagingFlags.AccessedAndDirty);
        ExpectVariable("the write to a present page did not fault", _faults, 1);

        EmitWrite(PageAddress(1), 2);
        ExpectFault("writing an absent page", 2, Write, PageAddress(1));
        ExpectFlags("after the write the page is accessed and dirty", Entry(1), PagingFlags.AccessedAndDirty, PagingFlags.AccessedAndDirty);
    }

    private void EmitFlagsAgain()
    {
        EmitChangeEntry(0, clear: PagingFlags.AccessedAndDirty);
        EmitRead(PageAddress(0));
        _checks.Expect("a page whose flags were cleared reads as before", 1);
        ExpectFlags("reading it sets accessed only", Entry(0), PagingFlags.AccessedAndDirty, PagingFlags.Accessed);
        EmitWrite(PageAddress(0), 3);
        ExpectFlags("writing it sets dirty again", Entry(0), PagingFlags.AccessedAndDirty, PagingFlags.AccessedAndDirty);
        ExpectVariable("neither faulted", _faults, 2);
    }

    private void EmitRights()
    {
        const byte ReturnInstruction = 0xC3;
        EmitChangeEntry(1, clear: PagingFlags.ReadWrite | PagingFlags.Dirty);
        EmitWrite(PageAddress(1), 4);
        ExpectFault("writing a read-only page under CR0.WP", 3, Protection | Write, PageAddress(1));
        ExpectFlags("the page is dirty when the write was done", Entry(1), PagingFlags.Dirty, PagingFlags.Dirty);

        EmitClearWriteProtect();
        EmitChangeEntry(1, clear: PagingFlags.ReadWrite | PagingFlags.Dirty);
        EmitWrite(PageAddress(1), 5);
        ExpectVariable("without CR0.WP the same write does not fault", _faults, 3);
        ExpectFlags("and makes the page dirty", Entry(1), PagingFlags.Dirty, PagingFlags.Dirty);
        EmitSetWriteProtect();

        EmitWrite(PageAddress(2), ReturnInstruction);
        _code.bts(__qword_ptr[Entry(2)], PagingFlags.ExecuteDisableBit);
        EmitInvalidate(PageAddress(2));
        _guest.Load(rax, PageAddress(2));
        _code.call(rax);
        ExpectFault("executing an execute-disable page", 5, Protection | InstructionFetch, PageAddress(2));
    }

    private void EmitReservedBit()
    {
        _kernel.SetEntry(_kernel.Pml4, AliasPml4Index, _pdpt | PagingFlags.Kernel | PagingFlags.PageSize);
        EmitRead(Alias);
        _checks.Expect("a repaired alias of a page reads what the page holds", 3);
        ExpectVariable("a reserved bit in a PML4 entry faults once", _faults, 6);

        // The manual wants the P flag too; QEMU 7.2 leaves it out, and the image shall pass there.
        ExpectFlags("its error code says so", _lastError, Reserved, Reserved);
        ExpectVariable("CR2 has the address", _lastAddress, Alias);
    }

    private void EmitLargePage()
    {
        _kernel.SetEntry(_pdpt, LargePdptIndex, _largeDirectory | PagingFlags.Kernel);
        _kernel.SetEntry(_largeDirectory, 0, _largeFrame | PagingFlags.Kernel | PagingFlags.PageSize);
        EmitRead(LargePage + GuestPageSize.FourKibibytes);
        ExpectFlags("reading a 2 MiB page makes its PDE accessed only", _largeDirectory, PagingFlags.AccessedAndDirty, PagingFlags.Accessed);
        EmitWrite(LargePage + GuestPageSize.TwoMebibytes - 8, 6);
        ExpectFlags("writing it makes its PDE dirty", _largeDirectory, PagingFlags.AccessedAndDirty, PagingFlags.AccessedAndDirty);
        EmitRead(_largeFrame + GuestPageSize.TwoMebibytes - 8);
        _checks.Expect("its last word is where it should be", 6);
        ExpectVariable("the large page did not fault", _faults, 6);
    }

    /// <summary>The measured part: first touches, page after page, then reads of what was written.</summary>
    private void EmitSweep()
    {
        Label touch = _code.CreateLabel(), read = _code.CreateLabel();
        ulong first = PageAddress(FirstSweptPage);
        _guest.Load(rdi, first);
        _guest.Load(r8, _pages);
        _code.mov(ecx, 1);
        _guest.BeginMeasured();
        _code.Label(ref touch);
        _code.mov(__[rdi], rcx);
        _code.add(rdi, (int)KernelSupport.TableBytes);
        _code.inc(rcx);
        _code.cmp(rcx, r8);
        _code.jbe(touch);

        _guest.Load(rsi, first);
        _guest.Load(rcx, _pages);
        _code.xor(eax, eax);
        _code.Label(ref read);
        _code.add(rax, __[rsi]);
        _code.add(rsi, (int)KernelSupport.TableBytes);
        _code.dec(rcx);
        _code.jnz(read);
        _guest.EndMeasured();
        _checks.Expect($"{_pages} pages hold what was written when they were first touched", _pages * (_pages + 1) / 2);
        ExpectVariable("each of them faulted once", _faults, 6 + _pages);
    }

    /// <summary>The handler. It keeps count, error code and address for the checks.</summary>
    private void EmitPageFault()
    {
        Label rights = _code.CreateLabel(), execute = _code.CreateLabel(), store = _code.CreateLabel();
        Label reserved = _code.CreateLabel(), done = _code.CreateLabel();
        AssemblerRegister64[] saved = [rax, rcx, rdx, rdi];
        _kernel.BeginHandler(PageFault, "on_page_fault");
        foreach (AssemblerRegister64 register in saved)
            _code.push(register);
        _code.mov(rax, __[rsp + (8 * saved.Length)]);
        _code.mov(rdx, cr2);
        _code.mov(__[_lastError], rax);
        _code.mov(__[_lastAddress], rdx);
        _code.inc(__qword_ptr[_faults]);
        _code.mov(rdi, rdx);
        _code.shr(rdi, 12);
        _code.and(edi, (int)RegionPages - 1);
        _code.lea(rdi, __[(rdi * 8) + (int)_tables]);
        _code.test(al, Reserved);
        _code.jnz(reserved);
        _code.test(al, Protection);
        _code.jnz(rights);

        _code.push(rdi);
        _code.mov(rdi, __[_nextFrame]);
        _code.add(__qword_ptr[_nextFrame], (int)KernelSupport.TableBytes);
        _code.lea(rdx, __[rdi + (int)PagingFlags.Kernel]);
        _code.xor(eax, eax);
        _code.mov(ecx, (int)KernelSupport.TableBytes / 8);
        _code.rep.stosq();
        _code.pop(rdi);
        _code.mov(__[rdi], rdx);
        _code.jmp(done);

        _code.Label(ref rights);
        _code.mov(rcx, __[rdi]);
        _code.test(al, InstructionFetch);
        _code.jnz(execute);
        _code.or(rcx, (int)PagingFlags.ReadWrite);
        _code.jmp(store);
        _code.Label(ref execute);
        _code.btr(rcx, PagingFlags.ExecuteDisableBit);
        _code.Label(ref store);
        _code.mov(__[rdi], rcx);
        _code.invlpg(__[rdx]);
        _code.jmp(done);

        _code.Label(ref reserved);
        _code.and(__qword_ptr[_kernel.Pml4 + (8 * AliasPml4Index)], ~(int)PagingFlags.PageSize);
        _code.Label(ref done);
        foreach (AssemblerRegister64 register in saved.Reverse())
            _code.pop(register);
        _code.add(rsp, 8);
        _code.iretq();
    }

    private static ulong PageAddress(ulong page) => KernelSupport.Region + (page * GuestPageSize.FourKibibytes);

    private ulong Entry(ulong page) => _tables + (8 * page);

    private void EmitRead(ulong address)
    {
        _guest.Load(rsi, address);
        _code.mov(rax, __[rsi]);
    }

    private void EmitWrite(ulong address, int value)
    {
        _guest.Load(rdi, address);
        _code.mov(__qword_ptr[rdi], value);
    }

    private void EmitInvalidate(ulong address)
    {
        _guest.Load(rdi, address);
        _code.invlpg(__[rdi]);
    }

    private void EmitChangeEntry(ulong page, ulong clear)
    {
        _code.and(__qword_ptr[Entry(page)], ~(int)clear);
        EmitInvalidate(PageAddress(page));
    }

    private void EmitSetWriteProtect()
    {
        _code.mov(rax, cr0);
        _code.bts(rax, WriteProtectBit);
        _code.mov(cr0, rax);
    }

    private void EmitClearWriteProtect()
    {
        _code.mov(rax, cr0);
        _code.btr(rax, WriteProtectBit);
        _code.mov(cr0, rax);
    }

    private void ExpectVariable(string claim, ulong variable, ulong expected)
    {
        _code.mov(rax, __[variable]);
        _checks.Expect(claim, expected);
    }

    private void ExpectFlags(string claim, ulong entry, ulong mask, ulong expected)
    {
        _code.mov(rax, __[entry]);
        _code.and(eax, (int)mask);
        _checks.Expect(claim, expected);
    }

    private void ExpectFault(string what, ulong count, ulong error, ulong address)
    {
        ExpectVariable($"{what} faults once", _faults, count);
        ExpectVariable($"its error code is {error}", _lastError, error);
        ExpectVariable("CR2 has the address", _lastAddress, address);
    }
}
