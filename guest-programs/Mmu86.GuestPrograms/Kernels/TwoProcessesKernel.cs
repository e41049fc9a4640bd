using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The code of <c>kernel-two-processes</c>.</summary>
/// <remarks>
/// Both processes run the same code at the same linear addresses. Each has a private page, a stack of its own and a page that both share, on
/// which they take turns. Process 0 calls the kernel by SYSCALL, process 1 by INT. In the end process 0 exits and process 1 reads the
/// kernel's memory, which must stop it. The kernel's own pages are global.
/// <code>
/// linear   Region + 0x0000  code     (the same frame in both)
///          Region + 0x1000  private  counter, surprises, last shared value seen
///          Region + 0x2000  shared   (the same frame in both)
///          Region + 0x3000  stack
/// </code>
/// </remarks>
internal sealed class TwoProcessesKernel
{
    private const int Processes = 2;
    private const int Yield = 1;
    private const int ExitCall = 2;
    private const int PageFault = 14;
    private const int UserVector = 0x80;
    private const ulong PageBytes = GuestPageSize.FourKibibytes;
    private const ulong UserCode = KernelSupport.Region;
    private const ulong UserPrivate = UserCode + PageBytes;
    private const ulong UserShared = UserPrivate + PageBytes;
    private const ulong UserStackTop = UserShared + (2 * PageBytes);

    // A process's private page.
    private const int Counter = 0;
    private const int Surprises = 8;
    private const int LastShared = 16;

    private readonly GuestAssembler _guest;
    private readonly Assembler _code;
    private readonly KernelSupport _kernel;
    private readonly ProcessSwitch _switch;
    private readonly ulong _rounds;
    private readonly ulong[] _tables = new ulong[Processes];
    private readonly ulong[] _privateFrames = new ulong[Processes];
    private readonly ulong[] _stackFrames = new ulong[Processes];
    private readonly ulong _codeFrame;
    private readonly ulong _sharedFrame;
    private Label _userBegin;
    private Label _userEnd;

    public TwoProcessesKernel(GuestAssembler guest, ulong rounds)
    {
        _guest = guest;
        _code = guest.Code;
        _rounds = rounds;
        _userBegin = _code.CreateLabel();
        _userEnd = _code.CreateLabel();
        _kernel = new KernelSupport(guest);
        _switch = new ProcessSwitch(guest, _kernel.StackTop);
        _codeFrame = guest.Reserve("user_code_frame", PageBytes, PageBytes);
        _sharedFrame = guest.Reserve("data", PageBytes, PageBytes);
        for (int i = 0; i < Processes; i++)
        {
            _tables[i] = guest.Reserve($"tables_{i}", 4 * KernelSupport.TableBytes, KernelSupport.TableBytes);
            _privateFrames[i] = guest.Reserve($"private_{i}", PageBytes, PageBytes);
            _stackFrames[i] = guest.Reserve($"stack_{i}", PageBytes, PageBytes);
        }
    }

    public void Emit()
    {
        const uint GlobalEnable = 1 << 7;
        _kernel.EmitStart(PagingFlags.Global);
        _code.mov(rax, cr4);
        _code.or(rax, (int)GlobalEnable);
        _code.mov(cr4, rax);
        EmitProcessContextIdentifiers();
        EmitAddressSpaces();
        EmitProcesses();
        _switch.EmitSystemCall(_kernel);
        _kernel.EmitUserGate(UserVector, _switch.OnInterrupt);
        _guest.BeginMeasured();
        _switch.EmitStart();

        _switch.EmitHandlers(_kernel, PageFault, ExitCall);
        _guest.EndMeasured();
        EmitReport();
        _guest.Exit();
        EmitUserCode();
        _kernel.EmitUnexpectedExceptions();
    }

    /// <summary>Turns PCIDs on where the CPU has them. Then a load of CR3 can keep the translations of the address space it enters.</summary>
    private void EmitProcessContextIdentifiers()
    {
        const int FeatureLeaf = 1;
        const byte ProcessContextIdentifiersBit = 17;
        Label absent = _code.CreateLabel(), done = _code.CreateLabel();
        _code.mov(eax, FeatureLeaf);
        _code.xor(ecx, ecx);
        _code.cpuid();
        _code.bt(ecx, ProcessContextIdentifiersBit);
        _code.jnc(absent);
        _code.mov(rax, cr4);
        _code.bts(rax, ProcessContextIdentifiersBit);
        _code.mov(cr4, rax);
        _switch.EmitUseIdentifiers();
        _guest.Print("PCIDs: yes\n");
        _code.jmp(done);
        _code.Label(ref absent);
        _guest.Print("PCIDs: no\n");
        _code.Label(ref done);
    }

    private void EmitAddressSpaces()
    {
        _code.lea(rsi, __[_userBegin]);
        _code.lea(rcx, __[_userEnd]);
        _code.sub(rcx, rsi);
        _guest.Load(rdi, _codeFrame);
        _code.rep.movsb();
        for (int i = 0; i < Processes; i++)
        {
            ulong pml4 = _tables[i], pdpt = pml4 + KernelSupport.TableBytes;
            ulong directory = pdpt + KernelSupport.TableBytes, table = directory + KernelSupport.TableBytes;
            _kernel.SetEntry(pml4, 0, _kernel.KernelPml4Entry);
            _kernel.SetEntry(pml4, 1, pdpt | PagingFlags.User);
            _kernel.SetEntry(pdpt, 0, directory | PagingFlags.User);
            _kernel.SetEntry(directory, 0, table | PagingFlags.User);
            _kernel.SetEntry(table, 0, _codeFrame | PagingFlags.Present | PagingFlags.UserSupervisor);
            _kernel.SetEntry(table, 1, _privateFrames[i] | PagingFlags.User);
            _kernel.SetEntry(table, 2, _sharedFrame | PagingFlags.User);
            _kernel.SetEntry(table, 3, _stackFrames[i] | PagingFlags.User);
        }
    }

    private void EmitProcesses()
    {
        for (int i = 0; i < Processes; i++)
        {
            _switch.EmitCreate(i, _tables[i], UserCode, UserStackTop, new Dictionary<AssemblerRegister64, ulong>
            {
                [rbx] = UserPrivate,
                [r12] = 1,
                [r13] = UserShared,
                [r14] = (ulong)i,
                [r15] = _rounds,
            });
        }
    }

    /// <summary>What the processes run, copied to a page of theirs: RBX private page, R12 round, R13 shared page, R14 which process, R15 rounds.</summary>
    private void EmitUserCode()
    {
        Label loop = _code.CreateLabel(), expected = _code.CreateLabel(), byInterrupt = _code.CreateLabel();
        Label back = _code.CreateLabel(), stray = _code.CreateLabel();
        _guest.Mark("user_begin");
        _code.Label(ref _userBegin);
        _code.nop();
        _code.Label(ref loop);
        _code.lea(rax, __[r14 + 1]);
        _code.add(__[rbx + Counter], rax);
        _code.inc(__qword_ptr[r13]);

        // The processes take turns, so in round k the shared counter is 2k - 1 for the first and 2k for the second.
        _code.lea(rax, __[r14 + (r12 * 2) - 1]);
        _code.cmp(__[r13], rax);
        _code.je(expected);
        _code.inc(__qword_ptr[rbx + Surprises]);
        _code.Label(ref expected);
        _code.mov(rax, __[r13]);
        _code.mov(__[rbx + LastShared], rax);
        _code.push(r12);
        _code.mov(eax, Yield);
        _code.test(r14, r14);
        _code.jnz(byInterrupt);
        _code.syscall();
        _code.jmp(back);
        _code.Label(ref byInterrupt);
        _code.@int(UserVector);
        _code.Label(ref back);
        _code.pop(r12);
        _code.inc(r12);
        _code.cmp(r12, r15);
        _code.jbe(loop);
        _code.test(r14, r14);
        _code.jnz(stray);
        _code.mov(eax, ExitCall);
        _code.syscall();
        _code.Label(ref stray);
        _code.mov(rax, __[_codeFrame]);
        _code.mov(eax, ExitCall);
        _code.@int(UserVector);
        _guest.Mark("user_end");
        _code.Label(ref _userEnd);
        _code.ud2();
    }

    private void EmitReport()
    {
        for (int i = 0; i < Processes; i++)
        {
            _guest.Print($"process {i}: private ");
            EmitPrint(_privateFrames[i] + Counter);
            _guest.Print(", shared ");
            EmitPrint(_privateFrames[i] + LastShared);
            _guest.Print(", surprises ");
            EmitPrint(_privateFrames[i] + Surprises);
            EmitEnd(_switch.PageFaultOf(i));
        }

        _guest.Print("switches: ");
        EmitPrint(_switch.Switches);
        _guest.Print("\n");
    }

    private void EmitEnd(ulong pageFault)
    {
        Label exited = _code.CreateLabel(), done = _code.CreateLabel();
        _code.cmp(__qword_ptr[pageFault], 0);
        _code.je(exited);
        _guest.Print(", stopped by a page fault with error code ");
        EmitPrint(pageFault);
        _guest.Print("\n");
        _code.jmp(done);
        _code.Label(ref exited);
        _guest.Print(", exited\n");
        _code.Label(ref done);
    }

    private void EmitPrint(ulong variable)
    {
        _code.mov(rax, __[variable]);
        _guest.PrintDecimal();
    }
}
