namespace Mmu86.TestKit.Paging;

/// <summary>Which level answered a lookup.</summary>
public enum TlbAnswer
{
    FirstLevel,
    SecondLevel,

    /// <summary>Neither: the translation was walked.</summary>
    Miss,
}
