using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>Saves the process that calls, picks the other, enters it: the part of <c>kernel-two-processes</c> that switches.</summary>
internal sealed class ProcessSwitch
{
    private const int ProcessBytes = 128;
    private const ulong KeepTranslations = 1UL << 63;
    private const int UserFlags = 2;

    // A process's block. The registers that survive a call of the kernel follow each other.
    private const int Rip = 0;
    private const int Rsp = 8;
    private const int Rflags = 16;
    private const int EnteredBySystemCall = 24;
    private const int FirstRegister = 32;
    private const int Cr3 = 80;
    private const int Alive = 88;
    private const int FaultError = 96;

    // What GS leads to in the kernel.
    private const int KernelStack = 0;
    private const int UserStack = 8;

    private static readonly AssemblerRegister64[] Registers = [rbx, rbp, r12, r13, r14, r15];

    private readonly GuestAssembler _guest;
    private readonly Assembler _code;
    private readonly ulong _kernelStackTop;
    private readonly ulong _processes;
    private readonly ulong _perCpu;
    private readonly ulong _current;
    private readonly ulong _identifierMask;
    private readonly ulong _keep;
    private Label _onSystemCall;
    private Label _onInterrupt;
    private Label _enter;
    private Label _finished;

    public ProcessSwitch(GuestAssembler guest, ulong kernelStackTop)
    {
        _guest = guest;
        _code = guest.Code;
        _kernelStackTop = kernelStackTop;

        // Aligned to twice their size, so that an exclusive-or leads from one to the other.
        _processes = guest.Reserve("processes", 2 * ProcessBytes, 2 * ProcessBytes);
        _perCpu = guest.Reserve("per_cpu", 16, 16);
        _current = guest.Reserve("current", 8, 8);
        _identifierMask = guest.Reserve("identifier_mask", 8, 8);
        _keep = guest.Reserve("keep", 8, 8);
        Switches = guest.Reserve("switches", 8, 8);
        _onSystemCall = _code.CreateLabel();
        _onInterrupt = _code.CreateLabel();
        _enter = _code.CreateLabel();
        _finished = _code.CreateLabel();
    }

    /// <summary>Where the number of switches between address spaces is.</summary>
    public ulong Switches { get; }

    /// <summary>The handler of the processes' software interrupt.</summary>
    public Label OnInterrupt => _onInterrupt;

    /// <summary>Where the error code of the page fault that ended a process is; 0 without one.</summary>
    public ulong PageFaultOf(int process) => Block(process) + FaultError;

    /// <summary>Emits: from now on CR3 values have an identifier, and keep its translations from the second load on. CR4.PCIDE is set.</summary>
    public void EmitUseIdentifiers()
    {
        _guest.Load(rax, KeepTranslations);
        _code.mov(__[_keep], rax);
        _code.mov(__qword_ptr[_identifierMask], -1);
    }

    /// <summary>Emits what makes a process that will begin at an address.</summary>
    public void EmitCreate(int process, ulong pml4, ulong rip, ulong rsp, IReadOnlyDictionary<AssemblerRegister64, ulong> registers)
    {
        ulong identifier = (ulong)process + 1;
        Store(process, Rip, rip);
        Store(process, Rsp, rsp);
        Store(process, Rflags, UserFlags);
        Store(process, Alive, 1);
        for (int i = 0; i < Registers.Length; i++)
            Store(process, FirstRegister + (8 * i), registers.GetValueOrDefault(Registers[i]));
        _guest.Load(rax, identifier);
        _code.and(rax, __[_identifierMask]);
        _guest.Load(rcx, pml4);
        _code.or(rax, rcx);
        _code.mov(__[Block(process) + Cr3], rax);
    }

    /// <summary>Emits what lets ring 3 call by SYSCALL. SDM 3, "Fast System Calls in 64-Bit Mode".</summary>
    public void EmitSystemCall(KernelSupport kernel)
    {
        const uint ExtendedFeatures = 0xC000_0080, SystemCallEnable = 1;
        const uint Star = 0xC000_0081, LongStar = 0xC000_0082, FlagMask = 0xC000_0084, KernelGsBase = 0xC000_0102;
        const ulong InterruptTrapDirection = 0x700;

        // SYSRET adds 16 for CS and 8 for SS.
        const ulong UserBase = KernelSupport.UserCodeSelector - 16;
        kernel.EmitSetMsrBits(ExtendedFeatures, SystemCallEnable);
        kernel.EmitWriteMsr(Star, (UserBase << 48) | ((ulong)KernelSupport.CodeSelector << 32));
        kernel.EmitWriteMsr(FlagMask, InterruptTrapDirection);
        kernel.EmitWriteMsr(KernelGsBase, _perCpu);
        _code.lea(rax, __[_onSystemCall]);
        _code.mov(rdx, rax);
        _code.shr(rdx, 32);
        _code.mov(ecx, LongStar);
        _code.wrmsr();
        _guest.Load(rax, _kernelStackTop);
        _code.mov(__[_perCpu + KernelStack], rax);
    }

    /// <summary>Emits the entry of the first process.</summary>
    public void EmitStart()
    {
        _guest.Load(rcx, Block(0));
        _code.jmp(_enter);
    }

    /// <summary>Emits the ways into the kernel and out of it. Behind it, the code goes on when no process is left.</summary>
    public void EmitHandlers(KernelSupport kernel, int pageFault, int exitCall)
    {
        Label save = _code.CreateLabel(), end = _code.CreateLabel(), pick = _code.CreateLabel(), inKernel = _code.CreateLabel();
        EmitOnSystemCall();
        _code.jmp(save);
        EmitOnInterrupt();
        _code.Label(ref save);
        for (int i = 0; i < Registers.Length; i++)
            _code.mov(__[rdx + FirstRegister + (8 * i)], Registers[i]);
        _code.cmp(eax, exitCall);
        _code.jne(pick);
        _code.Label(ref end);
        _code.mov(__qword_ptr[rdx + Alive], 0);
        _code.Label(ref pick);
        EmitPick();
        EmitEnter();

        kernel.BeginHandler(pageFault, "on_page_fault");
        _code.pop(rax);
        _code.test(__byte_ptr[rsp + 8], 3);
        _code.jz(inKernel);
        _code.mov(rdx, __[_current]);
        _code.mov(__[rdx + FaultError], rax);
        _guest.Load(rsp, _kernelStackTop);
        _code.jmp(end);

        // A fault of the kernel's own is a mistake; UD2 reports it as an unexpected exception.
        _code.Label(ref inKernel);
        _code.ud2();
        _code.Label(ref _finished);
    }

    /// <summary>RCX and R11 are the process's RIP and RFLAGS; nothing else is free before its RSP is safe.</summary>
    private void EmitOnSystemCall()
    {
        _guest.BeginFunction("on_system_call", ref _onSystemCall);
        _code.swapgs();
        _code.mov(__qword_ptr.gs[UserStack], rsp);
        _code.mov(rsp, __qword_ptr.gs[KernelStack]);
        _code.mov(rdx, __[_current]);
        _code.mov(__[rdx + Rip], rcx);
        _code.mov(__[rdx + Rflags], r11);
        _code.mov(rcx, __qword_ptr.gs[UserStack]);
        _code.mov(__[rdx + Rsp], rcx);
        _code.mov(__qword_ptr[rdx + EnteredBySystemCall], 1);
        _code.swapgs();
    }

    private void EmitOnInterrupt()
    {
        _guest.BeginFunction("on_interrupt", ref _onInterrupt);
        _code.mov(rdx, __[_current]);
        _code.pop(__qword_ptr[rdx + Rip]);
        _code.add(rsp, 8);
        _code.pop(__qword_ptr[rdx + Rflags]);
        _code.pop(__qword_ptr[rdx + Rsp]);
        _code.add(rsp, 8);
        _code.mov(__qword_ptr[rdx + EnteredBySystemCall], 0);
    }

    /// <summary>From the process in RDX to the one that shall run, in RCX: the other one if it lives.</summary>
    private void EmitPick()
    {
        Label other = _code.CreateLabel();
        _code.mov(rcx, rdx);
        _code.xor(rcx, ProcessBytes);
        _code.cmp(__qword_ptr[rcx + Alive], 0);
        _code.jne(other);
        _code.mov(rcx, rdx);
        _code.cmp(__qword_ptr[rcx + Alive], 0);
        _code.je(_finished);
        _code.jmp(_enter);
        _code.Label(ref other);
        _code.inc(__qword_ptr[Switches]);
    }

    /// <summary>Enters the process in RCX the way it left, by SYSRET or IRETQ.</summary>
    private void EmitEnter()
    {
        Label byInterruptReturn = _code.CreateLabel();
        _code.Label(ref _enter);
        _code.mov(__[_current], rcx);
        _code.mov(rax, __[rcx + Cr3]);
        _code.mov(cr3, rax);
        _code.or(rax, __[_keep]);
        _code.mov(__[rcx + Cr3], rax);
        for (int i = 0; i < Registers.Length; i++)
            _code.mov(Registers[i], __[rcx + FirstRegister + (8 * i)]);
        _code.cmp(__qword_ptr[rcx + EnteredBySystemCall], 0);
        _code.je(byInterruptReturn);
        _code.mov(rsp, __[rcx + Rsp]);
        _code.mov(r11, __[rcx + Rflags]);
        _code.mov(rcx, __[rcx + Rip]);
        _code.sysretq();
        _code.Label(ref byInterruptReturn);
        _guest.Load(rsp, _kernelStackTop);
        _code.push(KernelSupport.UserDataSelector);
        _code.push(__qword_ptr[rcx + Rsp]);
        _code.push(__qword_ptr[rcx + Rflags]);
        _code.push(KernelSupport.UserCodeSelector);
        _code.push(__qword_ptr[rcx + Rip]);
        _code.iretq();
    }

    private ulong Block(int process) => _processes + (ulong)(process * ProcessBytes);

    private void Store(int process, int field, ulong value)
    {
        _guest.Load(rax, value);
        _code.mov(__[Block(process) + (ulong)field], rax);
    }
}
