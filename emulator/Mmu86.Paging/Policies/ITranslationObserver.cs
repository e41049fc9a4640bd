namespace Mmu86.Paging;

/// <summary>One who is told of every translation: <c>inspect</c> and <c>explain</c>.</summary>
public interface ITranslationObserver
{
    /// <summary>A translation was made, or failed. The trace is the observer's to keep.</summary>
    void Translated(WalkTrace trace);
}
