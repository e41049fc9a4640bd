namespace Mmu86.Lab.Reports;

/// <summary>The TLBs. A level that the machine does not have is null.</summary>
public sealed record TlbCounts
{
    /// <summary>First level, fetches: the sum over its arrays.</summary>
    public LookupCounts? L1i { get; init; }

    /// <summary>First level, loads and stores.</summary>
    public LookupCounts? L1d { get; init; }

    /// <summary>Second level.</summary>
    public LookupCounts? L2 { get; init; }

    /// <summary>Each array by its name, in the order of the machine description.</summary>
    public required IReadOnlyDictionary<string, LookupCounts> Structures { get; init; }

    /// <summary>What was counted between two moments of one machine.</summary>
    public TlbCounts Since(TlbCounts earlier)
    {
        OrderedDictionary<string, LookupCounts> structures = [];
        foreach ((string name, LookupCounts counts) in Structures)
            structures.Add(name, counts.Since(earlier.Structures[name]));
        return new TlbCounts
        {
            L1i = earlier.L1i is null ? L1i : L1i?.Since(earlier.L1i),
            L1d = earlier.L1d is null ? L1d : L1d?.Since(earlier.L1d),
            L2 = earlier.L2 is null ? L2 : L2?.Since(earlier.L2),
            Structures = structures,
        };
    }
}
