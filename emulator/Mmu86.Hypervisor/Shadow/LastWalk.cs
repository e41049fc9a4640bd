using Mmu86.Paging;

namespace Mmu86.Hypervisor.Shadow;

/// <summary>Keeps the last translation that the hypervisor made on the guest's behalf.</summary>
internal sealed class LastWalk : ITranslationObserver
{
    /// <summary>The translation; null before the first.</summary>
    public WalkTrace? Trace { get; private set; }

    /// <inheritdoc/>
    public void Translated(WalkTrace trace) => Trace = trace;
}
