using Mmu86.Cpu;
using Mmu86.Paging;

namespace Mmu86.Timing;

/// <summary>A clock that counts the cycles of the fidelity <c>tlb</c>: instructions and the price of translation.</summary>
/// <param name="mmu">Whose work is priced.</param>
/// <param name="latencies">The prices.</param>
public sealed class TranslationClock(IMmu mmu, TranslationLatencies latencies) : IVirtualClock
{
    /// <inheritdoc/>
    public bool IsUniform => false;

    /// <inheritdoc/>
    public ulong Read(ulong instructions, ulong repIterations) => instructions + mmu.Work.Cycles(latencies);
}
