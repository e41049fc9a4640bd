using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The part of <c>kernel-page-matrix</c> that makes one access and adds what came of it to the digest.</summary>
/// <remarks>
/// However an access ends, by a page fault or by the UD2 behind it, the kernel goes on at one place and forgets what is on its stack.
/// Ring 3 runs the kernel's own code, which is mapped a second time as user-mode pages.
/// </remarks>
internal sealed class PageMatrixProbe
{
    private const int InvalidOpcode = 6;
    private const int PageFault = 14;
    private const byte AlignmentCheckBit = 18;
    private const int FixedFlag = 2;

    /// <summary>The LDT's second descriptor, requested with privilege 3.</summary>
    private const int LocalSelector = 8 | 4 | 3;

    private const int ReadAction = 0;
    private const int WriteAction = 1;
    private const int FetchAction = 2;
    private const int SegmentLoadAction = 3;
    private const int UserAccesses = 1 << (int)PageMatrixAccess.UserRead | 1 << (int)PageMatrixAccess.UserWrite |
        1 << (int)PageMatrixAccess.UserFetch | 1 << (int)PageMatrixAccess.UserSegmentLoad;

    /// <summary>This bit makes a user-mode address of one in the kernel's text: the third PML4 entry maps it again.</summary>
    private const byte UserTextBit = 40;
    private const int UserTextIndex = 2;

    private readonly GuestAssembler _guest;
    private readonly Assembler _code;
    private readonly KernelSupport _kernel;
    private readonly PageMatrixTables _tables;
    private readonly ulong _actions;
    private readonly ulong _actionOf;
    private readonly ulong _everything;
    private readonly ulong _prime;
    private readonly ulong _userPdpt;
    private readonly ulong _userDirectory;
    private readonly ulong _savedStack;
    private readonly Label[] _actionLabels = new Label[4];
    private Label _failed;
    private Label _step;

    public PageMatrixProbe(GuestAssembler guest, KernelSupport kernel, PageMatrixTables tables)
    {
        _guest = guest;
        _code = guest.Code;
        _kernel = kernel;
        _tables = tables;
        _failed = _code.CreateLabel();
        _step = _code.CreateLabel();
        for (int i = 0; i < _actionLabels.Length; i++)
            _actionLabels[i] = _code.CreateLabel();
        _actions = guest.AddAddressTable("actions", _actionLabels);
        _actionOf = guest.AddData("action_of", [.. Enum.GetValues<PageMatrixAccess>().Select(access => (byte)ActionOf(access))], 8);
        _everything = guest.AddData("", [.. Enumerable.Repeat((byte)0xFF, 8 * PageMatrixTables.Levels)], 8);
        _prime = guest.AddData("prime", BitConverter.GetBytes(PageMatrixCases.DigestPrime), 8);
        Written = guest.AddData("written", new byte[8 * PageMatrixTables.Levels], 8);
        _savedStack = guest.AddData("saved_stack", new byte[8], 8);
        _userPdpt = guest.AddData("user_pdpt", new byte[KernelSupport.TableBytes], (int)KernelSupport.TableBytes);
        _userDirectory = guest.AddData("user_directory", new byte[KernelSupport.TableBytes], (int)KernelSupport.TableBytes);
    }

    /// <summary>The entries as the kernel wrote them, by level: accessed and dirty are told by what differs from them.</summary>
    public ulong Written { get; }

    /// <summary>Emits the preparations: code and descriptor in the frame, ring 3 and the LDT.</summary>
    public void EmitStart()
    {
        const ulong UndefinedInstruction = 0x0B0F, FlatUserData = 0x00CF_F300_0000_FFFF;
        _kernel.SetEntry(_tables.Frame + PageMatrixCases.CodeOffset, 0, UndefinedInstruction);
        _kernel.SetEntry(_tables.Frame + PageMatrixCases.DescriptorOffset, 0, FlatUserData);
        _kernel.SetEntry(_kernel.Pml4, UserTextIndex, _userPdpt | PagingFlags.User);
        _kernel.SetEntry(_userPdpt, 0, _userDirectory | PagingFlags.User);
        _kernel.SetEntry(_userDirectory, 1, GuestPageSize.TwoMebibytes | PagingFlags.Present | PagingFlags.UserSupervisor | PagingFlags.PageSize);
        _kernel.EmitLocalDescriptorTable(_tables.Page + PageMatrixCases.TableOffset);
    }

    /// <summary>Emits a call of the step: makes the access R12 with RFLAGS.AC as in R13 and adds the outcome to the digest in RBP.</summary>
    /// <remarks>RBX is the group's descriptor, R15 the page. Changes RAX, RCX, RDX, RSI, RDI and R8 to R11.</remarks>
    public void EmitCall() => _code.call(_step);

    /// <summary>Emits the functions and handlers.</summary>
    public void EmitFunctions()
    {
        EmitStep();
        EmitActions();
        _kernel.BeginHandler(PageFault, "on_page_fault");
        _code.pop(r9);
        _code.mov(r10, cr2);
        _code.sub(r10, r15);
        _code.shl(r10, 32);
        _code.or(r9, r10);
        _code.bts(r9, PageMatrixCases.FaultBit);
        _code.jmp(_failed);
    }

    private void EmitStep()
    {
        Label user = _code.CreateLabel();
        _guest.BeginFunction("step", ref _step);
        _code.mov(__dword_ptr[_tables.Frame + PageMatrixCases.DataOffset], unchecked((int)PageMatrixCases.WordBefore));
        _code.mov(__qword_ptr[_savedStack], rsp);
        _code.movzx(r10d, __byte_ptr[r12 + (int)_actionOf]);
        _code.mov(r10, __[(r10 * 8) + (int)_actions]);
        _code.mov(rdi, r15);
        _code.mov(esi, PageMatrixCases.WordWritten);
        _code.mov(ecx, LocalSelector);
        _code.mov(edx, r13d);
        _code.shl(edx, AlignmentCheckBit);
        _code.or(edx, FixedFlag);
        _code.mov(eax, UserAccesses);
        _code.bt(eax, r12d);
        _code.mov(eax, 0);
        _code.jc(user);
        _code.push(rdx);
        _code.popfq();
        _code.jmp(r10);
        _code.Label(ref user);
        _code.push(KernelSupport.UserDataSelector);
        _code.push(0);
        _code.push(rdx);
        _code.push(KernelSupport.UserCodeSelector);
        _code.bts(r10, UserTextBit);
        _code.push(r10);
        _code.iretq();

        _kernel.BeginHandler(InvalidOpcode, "on_success");
        _code.xor(r9d, r9d);
        _code.Label(ref _failed);
        _code.mov(rsp, __qword_ptr[_savedStack]);
        _code.push(FixedFlag);
        _code.popfq();
        EmitDigest(r9);
        _code.mov(ecx, __dword_ptr[_tables.Frame + PageMatrixCases.DataOffset]);
        _code.shl(rcx, 32);
        _code.or(rax, rcx);
        EmitDigest(rax);
        EmitEntries();
        EmitDigest(r11);
        _code.ret();
    }

    /// <summary>The accesses themselves, at any address: RDI is the page, ESI what to write, ECX the selector. What is fetched is a UD2 too.</summary>
    private void EmitActions()
    {
        _guest.Mark("accesses");
        _code.Label(ref _actionLabels[ReadAction]);
        _code.mov(eax, __[rdi + PageMatrixCases.DataOffset]);
        _code.ud2();
        _code.Label(ref _actionLabels[WriteAction]);
        _code.mov(__[rdi + PageMatrixCases.DataOffset], esi);
        _code.ud2();
        _code.Label(ref _actionLabels[FetchAction]);
        _code.jmp(rdi);
        _code.Label(ref _actionLabels[SegmentLoadAction]);
        _code.mov(fs, ecx);
        _code.ud2();
    }

    /// <summary>R11 becomes what the processor changed in the entries, rotated by 16 bits for each level.</summary>
    private void EmitEntries()
    {
        Label compare = _code.CreateLabel();
        _guest.Load(rsi, _everything);
        _code.test(r9, r9);
        _code.jz(compare);
        _code.lea(rsi, __[rbx + PageMatrixTables.FaultMasks]);
        _code.Label(ref compare);
        _code.xor(r11d, r11d);
        for (int level = PageMatrixTables.Levels - 1; level >= 0; level--)
        {
            _code.rol(r11, 16);
            _code.mov(rcx, __qword_ptr[_tables.Entry(level)]);
            _code.xor(rcx, __qword_ptr[Written + (ulong)(8 * level)]);
            _code.and(rcx, __[rsi + (8 * level)]);
            _code.xor(r11, rcx);
        }
    }

    private void EmitDigest(AssemblerRegister64 word)
    {
        _code.xor(rbp, word);
        _code.imul(rbp, __qword_ptr[_prime]);
    }

    private static int ActionOf(PageMatrixAccess access) => access switch
    {
        PageMatrixAccess.SupervisorRead or PageMatrixAccess.UserRead => ReadAction,
        PageMatrixAccess.SupervisorWrite or PageMatrixAccess.UserWrite => WriteAction,
        PageMatrixAccess.SupervisorFetch or PageMatrixAccess.UserFetch => FetchAction,
        PageMatrixAccess.SupervisorSegmentLoad or PageMatrixAccess.UserSegmentLoad => SegmentLoadAction,
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}
