using Mmu86.Paging;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Keeps what an observed MMU told last.</summary>
internal sealed class WalkWatcher : ITranslationObserver
{
    /// <summary>The last translation, or null before the first.</summary>
    public WalkTrace? Last { get; private set; }

    /// <inheritdoc/>
    public void Translated(WalkTrace trace) => Last = trace;

    /// <summary>All of a trace as text, so that two traces are equal if and only if their texts are.</summary>
    public static string Text(WalkTrace trace) =>
        $"{trace with { References = [] }}\n" + string.Concat(trace.References.Select(step => $"    {step}\n"));
}
