namespace Mmu86.TestKit.Rules;

/// <summary>How far Mmu86 keeps a row of the conformance checklist.</summary>
public enum RowStatus
{
    /// <summary>All of it, and a test holds it.</summary>
    Kept,

    /// <summary>Some of it; the row says what is missing.</summary>
    KeptInPart,

    /// <summary>No machine that Mmu86 describes has the feature; what would switch it on is refused.</summary>
    NotOffered,

    /// <summary>A machine ought to have it, and it is not there yet.</summary>
    NotBuilt,
}
