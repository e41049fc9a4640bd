namespace Mmu86.Hypervisor.Replacement;

/// <summary>How a frame became resident.</summary>
public readonly record struct Insertion
{
    /// <summary>The distance of a frame that was never evicted.</summary>
    public const ulong NeverEvicted = ulong.MaxValue;

    private Insertion(InsertionKind kind, ulong refaultDistance)
    {
        Kind = kind;
        RefaultDistance = refaultDistance;
    }

    /// <summary>The first touch of a frame.</summary>
    public static Insertion Populated { get; } = new(InsertionKind.Populated, NeverEvicted);

    /// <summary>Why it became resident.</summary>
    public InsertionKind Kind { get; }

    /// <summary>Evictions from this policy's memory between the frame's own and its return; <see cref="NeverEvicted"/> where it had none.</summary>
    /// <remarks>A frame whose distance is at most the number of resident frames would not have been lost to LRU with twice the memory.</remarks>
    public ulong RefaultDistance { get; }

    /// <summary>A touch of a frame that was swapped out.</summary>
    public static Insertion SwappedIn(ulong refaultDistance) => new(InsertionKind.SwappedIn, refaultDistance);

    /// <summary>Read in beside another.</summary>
    public static Insertion ReadAhead(ulong refaultDistance) => new(InsertionKind.ReadAhead, refaultDistance);
}
