namespace Mmu86.X86;

/// <summary>Memory types as the PAT, the MTRRs, EPT entries and the EPT pointer encode them. SDM 3, "Memory Cache Control".</summary>
/// <remarks>The last two are effective types alone. APM 2, "Memory Types".</remarks>
public enum MemoryType : byte
{
    Uncacheable = 0,
    WriteCombining = 1,
    WriteThrough = 4,
    WriteProtected = 5,
    WriteBack = 6,

    /// <summary>UC-: uncacheable unless an MTRR says write-combining. Only the PAT has it.</summary>
    UncacheableMinus = 7,

    /// <summary>CD, of AMD's processors: uncacheable, but other caches are snooped. An effective type, which nothing encodes.</summary>
    CacheDisable = 8,

    /// <summary>WC+, of AMD's nested paging: write-combining, but caches are snooped. An effective type, which nothing encodes.</summary>
    WriteCombiningPlus = 9,
}
