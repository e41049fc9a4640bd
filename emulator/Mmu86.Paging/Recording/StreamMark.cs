namespace Mmu86.Paging;

/// <summary>A moment of the run that a stream tells of.</summary>
public enum StreamMoment
{
    /// <summary>Some time has passed.</summary>
    Interval = 0,

    /// <summary>The measured part begins.</summary>
    Begin = 1,

    /// <summary>The measured part has ended.</summary>
    End = 2,

    /// <summary>The run has ended.</summary>
    Last = 3,
}

/// <summary>What the base machine had counted at a moment.</summary>
public sealed record StreamMark
{
    /// <summary>Which moment.</summary>
    public required StreamMoment Moment { get; init; }

    /// <summary>Instructions retired.</summary>
    public required ulong Instructions { get; init; }

    /// <summary>Lookups of the first-level data TLB, those of accesses that failed included.</summary>
    public required ulong DataLookups { get; init; }

    /// <summary>Lookups of the first-level instruction TLB.</summary>
    public required ulong FetchLookups { get; init; }

    /// <summary>Data lookups by the size of the entry that answered or was filled: 4 KiB, 2 MiB, 1 GiB.</summary>
    public required IReadOnlyList<ulong> DataBySize { get; init; }

    /// <summary>Fetch lookups likewise.</summary>
    public required IReadOnlyList<ulong> FetchBySize { get; init; }
}
