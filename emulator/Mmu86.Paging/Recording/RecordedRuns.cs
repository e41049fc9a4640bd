namespace Mmu86.Paging;

/// <summary>Which lookups a recorder may take together.</summary>
public enum RecordedRuns
{
    /// <summary>Data accesses to one page in turn, whatever is fetched between them, and fetches from one page likewise. Right for machines whose
    /// first levels hold every page size, and are changed by nothing but their own lookups and invalidations.</summary>
    ByKind,

    /// <summary>Only equal lookups with nothing between them. Right for every machine.</summary>
    Strict,
}
