using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>Takes one event to the first instruction of its handler, by the rules of the mode.</summary>
internal static class EventGate
{
    /// <summary>What error codes have set where the selector is an index of the IDT.</summary>
    public const uint InIdt = 2;

    /// <summary>Delivers an event.</summary>
    /// <returns>False where that faulted: the fault is recorded, with EXT as the event demands. Short of a task switch no register has changed.</returns>
    public static bool TryEnter(Vcpu vcpu, in PendingEvent pending)
    {
        bool isEntered = vcpu.Mode switch
        {
            ProcessorMode.Real => RealModeVector.TryEnter(vcpu, pending),
            ProcessorMode.Long64 or ProcessorMode.Compatibility => InterruptGate.TryEnter(vcpu, pending),
            _ => ProtectedGate.TryEnter(vcpu, pending),
        };
        if (isEntered)
            return true;

        // The MMU does not know of EXT: where the address of a table or stack was not canonical.
        PendingFault fault = vcpu.Faults.Pending;
        if (fault.Failure == TranslationFailure.NonCanonical)
            vcpu.Faults.Raise(fault.Vector, pending.ExternalBit);
        return false;
    }
}
