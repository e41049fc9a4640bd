using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>What kind of event is delivered: the manual's interruption types. SDM 3, "VM-Entry Controls for Event Injection".</summary>
internal enum EventKind
{
    ExternalInterrupt,
    NonMaskableInterrupt,

    /// <summary>A fault, trap or abort that the processor raised.</summary>
    HardwareException,

    /// <summary>INT n: the gate's DPL is checked.</summary>
    SoftwareInterrupt,

    /// <summary>INT1: the gate's DPL is not checked.</summary>
    PrivilegedSoftwareException,

    /// <summary>INT3: the gate's DPL is checked.</summary>
    SoftwareException,
}

/// <summary>An event on its way through the IDT.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Vector">Its entry in the IDT.</param>
/// <param name="ErrorCode">Pushed where a hardware exception's vector has one.</param>
/// <param name="ReturnAddress">The RIP pushed.</param>
/// <param name="Resume">RF in the RFLAGS pushed: set for faults and between elements of a string instruction.</param>
internal readonly record struct PendingEvent(EventKind Kind, byte Vector, uint ErrorCode, ulong ReturnAddress, bool Resume)
{
    /// <summary>Whether the gate's DPL must be at least CPL.</summary>
    public bool ChecksGatePrivilege => Kind is EventKind.SoftwareInterrupt or EventKind.SoftwareException;

    /// <summary>EXT in error codes raised while this event is delivered: clear for INT n and INT3. SDM 3, "Error Code".</summary>
    public uint ExternalBit => ChecksGatePrivilege ? 0u : 1u;

    /// <summary>Whether an error code is pushed.</summary>
    public bool HasErrorCode => Kind == EventKind.HardwareException && ((ExceptionVector)Vector).HasErrorCode();

    /// <summary>An exception at an instruction, which runs again after the handler returns.</summary>
    public static PendingEvent Fault(ExceptionVector vector, uint errorCode, ulong rip) =>
        new(EventKind.HardwareException, (byte)vector, errorCode, rip, IsFault(vector));

    // Traps and aborts leave RF as it is. #DB comes here as the fault of a MOV of debug registers alone.
    private static bool IsFault(ExceptionVector vector) =>
        vector is not (ExceptionVector.Breakpoint or ExceptionVector.Overflow or ExceptionVector.DoubleFault or ExceptionVector.MachineCheck);
}
