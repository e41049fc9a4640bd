namespace Mmu86.X86;

/// <summary>Exception vectors. SDM 3, "Exception and Interrupt Vectors".</summary>
public enum ExceptionVector : byte
{
    DivideError = 0,
    Debug = 1,
    NonMaskableInterrupt = 2,
    Breakpoint = 3,
    Overflow = 4,
    BoundRange = 5,
    InvalidOpcode = 6,
    DeviceNotAvailable = 7,
    DoubleFault = 8,
    InvalidTss = 10,
    SegmentNotPresent = 11,
    StackFault = 12,
    GeneralProtection = 13,
    PageFault = 14,
    FloatingPoint = 16,
    AlignmentCheck = 17,
    MachineCheck = 18,
    SimdFloatingPoint = 19,
    Virtualization = 20,
    ControlProtection = 21,
}

/// <summary>The error code of #PF. SDM 3, "Page-Fault Exceptions".</summary>
[Flags]
public enum PageFaultErrorCode : uint
{
    None = 0,
    Present = 1u << 0,
    Write = 1u << 1,
    User = 1u << 2,
    Reserved = 1u << 3,
    InstructionFetch = 1u << 4,
    ProtectionKey = 1u << 5,
    ShadowStack = 1u << 6,

    /// <summary>An entry of hypervisor-managed tables was not present or had a reserved bit set.</summary>
    HypervisorManaged = 1u << 7,
}

/// <summary>What exceptions have in common.</summary>
public static class ExceptionVectors
{
    // Bit v is set when vector v pushes an error code.
    private const uint WithErrorCode = (1u << 8) | (1u << 10) | (1u << 11) | (1u << 12) | (1u << 13) | (1u << 14) | (1u << 17) | (1u << 21);

    /// <summary>Whether delivery pushes an error code. SDM 3, "Error Code".</summary>
    public static bool HasErrorCode(this ExceptionVector vector) => (byte)vector < 32 && ((WithErrorCode >> (byte)vector) & 1) != 0;

    /// <summary>The manual's mnemonic, such as <c>#PF</c>.</summary>
    public static string Mnemonic(this ExceptionVector vector) => vector switch
    {
        ExceptionVector.DivideError => "#DE",
        ExceptionVector.Debug => "#DB",
        ExceptionVector.NonMaskableInterrupt => "NMI",
        ExceptionVector.Breakpoint => "#BP",
        ExceptionVector.Overflow => "#OF",
        ExceptionVector.BoundRange => "#BR",
        ExceptionVector.InvalidOpcode => "#UD",
        ExceptionVector.DeviceNotAvailable => "#NM",
        ExceptionVector.DoubleFault => "#DF",
        ExceptionVector.InvalidTss => "#TS",
        ExceptionVector.SegmentNotPresent => "#NP",
        ExceptionVector.StackFault => "#SS",
        ExceptionVector.GeneralProtection => "#GP",
        ExceptionVector.PageFault => "#PF",
        ExceptionVector.FloatingPoint => "#MF",
        ExceptionVector.AlignmentCheck => "#AC",
        ExceptionVector.MachineCheck => "#MC",
        ExceptionVector.SimdFloatingPoint => "#XM",
        ExceptionVector.Virtualization => "#VE",
        ExceptionVector.ControlProtection => "#CP",
        _ => $"vector 0x{(byte)vector:x2}",
    };
}
