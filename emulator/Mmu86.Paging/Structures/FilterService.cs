namespace Mmu86.Paging;

/// <summary>Whether the translation filter answers for a level.</summary>
internal enum FilterService
{
    /// <summary>Never: a second level, or a machine in which every access is looked up.</summary>
    NotServed,

    /// <summary>It answers hits that would change nothing.</summary>
    Served,
}
