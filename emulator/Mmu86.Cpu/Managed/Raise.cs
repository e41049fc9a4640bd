using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Ends a managed instruction with an exception.</summary>
internal static class Raise
{
    /// <summary>#UD.</summary>
    public static ManagedOutcome InvalidOpcode(Vcpu vcpu) => Exception(vcpu, ExceptionVector.InvalidOpcode, 0);

    /// <summary>#GP.</summary>
    public static ManagedOutcome GeneralProtection(Vcpu vcpu, uint errorCode) => Exception(vcpu, ExceptionVector.GeneralProtection, errorCode);

    /// <summary>Any exception.</summary>
    public static ManagedOutcome Exception(Vcpu vcpu, ExceptionVector vector, uint errorCode)
    {
        vcpu.Faults.Raise(vector, errorCode);
        return ManagedOutcome.Fault;
    }
}
