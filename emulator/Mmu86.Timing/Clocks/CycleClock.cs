using Mmu86.Cpu;

namespace Mmu86.Timing;

/// <summary>A clock that counts the cycles of the fidelity <c>cycles</c>.</summary>
/// <param name="model">Who keeps time.</param>
public sealed class CycleClock(TimingModel model) : IVirtualClock
{
    /// <inheritdoc/>
    public bool IsUniform => false;

    /// <inheritdoc/>
    public ulong Read(ulong instructions, ulong repIterations) => model.Cycles;
}
