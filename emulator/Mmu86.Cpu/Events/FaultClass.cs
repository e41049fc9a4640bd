using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Classes of exceptions that decide about double faults. SDM 3, "Interrupt 8—Double Fault Exception (#DF)".</summary>
internal enum FaultClass
{
    Benign,
    Contributory,
    PageFault,
    DoubleFault,
}

/// <summary>What happens when an exception is raised while another event is delivered.</summary>
internal static class FaultClasses
{
    /// <summary>The class of an event.</summary>
    public static FaultClass Of(in PendingEvent pending) =>
        pending.Kind == EventKind.HardwareException ? Of((ExceptionVector)pending.Vector) : FaultClass.Benign;

    /// <summary>The class of an exception.</summary>
    public static FaultClass Of(ExceptionVector vector) => vector switch
    {
        ExceptionVector.DivideError
            or ExceptionVector.InvalidTss
            or ExceptionVector.SegmentNotPresent
            or ExceptionVector.StackFault
            or ExceptionVector.GeneralProtection
            or ExceptionVector.ControlProtection => FaultClass.Contributory,
        ExceptionVector.PageFault or ExceptionVector.Virtualization => FaultClass.PageFault,
        ExceptionVector.DoubleFault => FaultClass.DoubleFault,
        _ => FaultClass.Benign,
    };

    /// <summary>Whether the second exception makes the two a double fault; otherwise it is delivered in place of the first.</summary>
    public static bool IsDoubleFault(FaultClass first, FaultClass second) => first switch
    {
        FaultClass.Contributory => second == FaultClass.Contributory,
        FaultClass.PageFault => second is FaultClass.Contributory or FaultClass.PageFault,
        _ => false,
    };
}
