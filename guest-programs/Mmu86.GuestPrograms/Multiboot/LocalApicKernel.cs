using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The 64-bit part of <c>kernel-local-apic</c>. SDM 3, "Advanced Programmable Interrupt Controller (APIC)".</summary>
internal sealed class LocalApicKernel
{
    private const string Enabled = "local APIC enabled in IA32_APIC_BASE";
    private const string Spurious = "spurious-interrupt vector register";
    private const string Periodic = "periodic timer interrupts while halted";
    private const string SelfWaits = "self-IPI with interrupts off is not delivered";
    private const string SelfRequested = "self-IPI with interrupts off is in the IRR";
    private const string SelfDelivered = "self-IPI with interrupts on is delivered";
    private const string PriorityHolds = "task priority 5 holds back a vector of class 4";
    private const string PriorityIsCr8 = "CR8 is the task priority";
    private const string PriorityLets = "task priority 0 lets it through";
    private const string AbsentStatus = "delivery status of an IPI to an absent processor";
    private const string AbsentSilent = "IPI to an absent processor is not delivered here";

    private const string Identifier = "x2APIC identifier";
    private const string OneShot = "x2APIC one-shot timer interrupts while halted";
    private const string SelfRegister = "x2APIC self-IPI is delivered";
    private const string AbsentRegister = "x2APIC IPI to an absent processor is not delivered here";

    /// <summary>What is claimed with registers in memory, in this order.</summary>
    public static readonly string[] MemoryClaims =
    [
        Enabled, Spurious, Periodic, SelfWaits, SelfRequested, SelfDelivered, PriorityHolds, PriorityIsCr8, PriorityLets, AbsentStatus, AbsentSilent,
    ];

    /// <summary>What is claimed with registers that are MSRs, in this order.</summary>
    public static readonly string[] RegisterClaims = [Identifier, OneShot, SelfRegister, AbsentRegister];

    private const ulong Base = 0xFEE0_0000;
    private const uint BaseRegister = 0x1B;
    private const uint BaseEnable = 1 << 11;
    private const uint BaseExtended = 1 << 10;
    private const uint FirstRegister = 0x800;

    // Offsets of registers in memory; as MSRs they are at 800H plus a sixteenth.
    private const uint Id = 0x20;
    private const uint TaskPriority = 0x80;
    private const uint EndOfInterrupt = 0xB0;
    private const uint SpuriousVector = 0xF0;
    private const uint Requests = 0x200;
    private const uint CommandLow = 0x300;
    private const uint CommandHigh = 0x310;
    private const uint TimerEntry = 0x320;
    private const uint InitialCount = 0x380;
    private const uint DivideConfiguration = 0x3E0;
    private const uint SelfIpi = 0x3F0;

    private const int TimerVector = 0x40;
    private const int SelfVector = 0x41;
    private const int AbsentVector = 0x42;
    private const int SpuriousVectorNumber = 0xEF;
    private const uint SoftwareEnable = 1 << 8;
    private const uint AbsentProcessor = 0x7F;
    private const uint PeriodicMode = 1 << 17;
    private const uint Masked = 1 << 16;
    private const uint ToSelf = 1 << 18;
    private const uint DivideBySixteen = 3;
    private const uint Count = 10_000;
    private const int Periods = 5;

    private readonly GuestAssembler _guest;
    private readonly Assembler _code;
    private readonly KernelSupport _kernel;
    private readonly KernelChecks _checks;
    private readonly InterruptCount _timer;
    private readonly InterruptCount _self;
    private readonly InterruptCount _absent;
    private readonly InterruptCount _spurious;
    private readonly ulong _extended;
    private Label _end;

    public LocalApicKernel(GuestAssembler guest)
    {
        _guest = guest;
        _code = guest.Code;
        _kernel = new KernelSupport(guest);
        _checks = new KernelChecks(guest);
        _timer = new InterruptCount(guest, "timer");
        _self = new InterruptCount(guest, "self");
        _absent = new InterruptCount(guest, "absent");
        _spurious = new InterruptCount(guest, "spurious");
        _extended = guest.Reserve("extended", 8, 8);
        _end = guest.Code.CreateLabel();
    }

    public void Emit()
    {
        Label without = _code.CreateLabel(), finish = _code.CreateLabel();
        _kernel.EmitStart(globality: 0);
        _kernel.EmitDevicePage(Base);
        LegacyInterrupts.EmitInitialise(_code);
        _timer.EmitGate(_kernel, TimerVector);
        _self.EmitGate(_kernel, SelfVector);
        _absent.EmitGate(_kernel, AbsentVector);
        _spurious.EmitGate(_kernel, SpuriousVectorNumber);
        EmitEnable();
        EmitPeriodicTimer();
        EmitSelfInterrupt();
        EmitTaskPriority();
        EmitAbsentProcessor();

        const int Extended = 1 << 21;
        _code.mov(eax, 1);
        _code.cpuid();
        _code.test(ecx, Extended);
        _code.jz(without);
        _guest.Print("x2APIC: yes\n");
        EmitExtended();
        _code.jmp(finish);
        _code.Label(ref without);
        _guest.Print("x2APIC: no\n");
        _code.Label(ref finish);
        _checks.EmitFinish();
        EmitHandlers();
        _kernel.EmitUnexpectedExceptions();
    }

    private void EmitEnable()
    {
        _kernel.EmitSetMsrBits(BaseRegister, BaseEnable);
        _code.mov(ecx, BaseRegister);
        _code.rdmsr();
        _code.and(eax, BaseEnable);
        _checks.Expect(Enabled, BaseEnable);
        Write(SpuriousVector, SoftwareEnable | SpuriousVectorNumber);
        Read(SpuriousVector);
        _checks.Expect(Spurious, SoftwareEnable | SpuriousVectorNumber);
    }

    private void EmitPeriodicTimer()
    {
        Write(DivideConfiguration, DivideBySixteen);
        Write(TimerEntry, PeriodicMode | TimerVector);
        Write(InitialCount, Count);
        _timer.EmitWaitFor(Periods);
        _timer.EmitRead();
        _checks.Expect(Periodic, Periods);
        Write(TimerEntry, Masked | TimerVector);
        Write(InitialCount, 0);
        EmitWindow();
    }

    private void EmitSelfInterrupt()
    {
        const int VectorsPerRegister = 32, BytesBetween = 16;
        const uint Register = Requests + (SelfVector / VectorsPerRegister * BytesBetween), Bit = 1 << (SelfVector % VectorsPerRegister);
        Write(CommandLow, ToSelf | SelfVector);
        _self.EmitRead();
        _checks.Expect(SelfWaits, 0);
        Read(Register);
        _code.and(eax, (int)Bit);
        _checks.Expect(SelfRequested, Bit);
        EmitWindow();
        _self.EmitRead();
        _checks.Expect(SelfDelivered, 1);
    }

    private void EmitTaskPriority()
    {
        const int Priority = 5;
        Write(TaskPriority, Priority << 4);
        Write(CommandLow, ToSelf | SelfVector);
        EmitWindow();
        _self.EmitRead();
        _checks.Expect(PriorityHolds, 1);
        _code.mov(rax, cr8);
        _checks.Expect(PriorityIsCr8, Priority);
        Write(TaskPriority, 0);
        EmitWindow();
        _self.EmitRead();
        _checks.Expect(PriorityLets, 2);
    }

    private void EmitAbsentProcessor()
    {
        const int DeliveryStatus = 1 << 12;
        Write(CommandHigh, AbsentProcessor << 24);
        Write(CommandLow, AbsentVector);
        Read(CommandLow);
        _code.and(eax, DeliveryStatus);
        _checks.Expect(AbsentStatus, 0);
        EmitWindow();
        _absent.EmitRead();
        _checks.Expect(AbsentSilent, 0);
    }

    private void EmitExtended()
    {
        _code.mov(__qword_ptr[_extended], 1);
        _kernel.EmitSetMsrBits(BaseRegister, BaseExtended);
        _code.mov(ecx, Msr(Id));
        _code.rdmsr();
        _code.shl(rdx, 32);
        _code.or(rax, rdx);
        _checks.Expect(Identifier, 0);

        _kernel.EmitWriteMsr(Msr(TimerEntry), TimerVector);
        _kernel.EmitWriteMsr(Msr(InitialCount), Count);
        _timer.EmitWaitFor(Periods + 1);
        _timer.EmitRead();
        _checks.Expect(OneShot, Periods + 1);

        _kernel.EmitWriteMsr(Msr(SelfIpi), SelfVector);
        EmitWindow();
        _self.EmitRead();
        _checks.Expect(SelfRegister, 3);

        _kernel.EmitWriteMsr(Msr(CommandLow), ((ulong)AbsentProcessor << 32) | AbsentVector);
        EmitWindow();
        _absent.EmitRead();
        _checks.Expect(AbsentRegister, 0);
    }

    private void EmitHandlers()
    {
        _timer.EmitHandler(() => _code.call(_end));
        _self.EmitHandler(() => _code.call(_end));
        _absent.EmitHandler(() => _code.call(_end));
        _spurious.EmitHandler(() => { });

        Label byRegister = _code.CreateLabel();
        _guest.BeginFunction("end_of_interrupt", ref _end);
        _code.cmp(__qword_ptr[_extended], 0);
        _code.jne(byRegister);
        Write(EndOfInterrupt, 0);
        _code.ret();
        _code.Label(ref byRegister);
        _kernel.EmitWriteMsr(Msr(EndOfInterrupt), 0);
        _code.ret();
    }

    /// <summary>A moment in which interrupts are delivered: STI takes effect behind the next instruction.</summary>
    private void EmitWindow()
    {
        _code.sti();
        _code.nop();
        _code.nop();
        _code.cli();
    }

    private void Write(uint register, uint value)
    {
        _guest.Load(rdx, Base + register);
        _code.mov(__dword_ptr[rdx], value);
    }

    private void Read(uint register)
    {
        _guest.Load(rdx, Base + register);
        _code.mov(eax, __dword_ptr[rdx]);
    }

    private static uint Msr(uint register) => FirstRegister + (register >> 4);
}
