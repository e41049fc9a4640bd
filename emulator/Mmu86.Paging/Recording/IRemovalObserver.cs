namespace Mmu86.Paging;

/// <summary>One that is told what an MMU drops, whether it holds any of it or not: a machine with more entries might.</summary>
internal interface IRemovalObserver
{
    /// <summary>The entries of a page go, and every fragment of their guest pages.</summary>
    void PageRemoved(ulong linear, uint space);

    /// <summary>The entries that answer for an address go, and no other fragment of its guest page.</summary>
    void AddressRemoved(ulong linear, uint space);

    /// <summary>Every entry of a space goes from the first level for a kind of access, because the level keeps only so many spaces.</summary>
    /// <param name="kind">Fetch, or any other for the level of data.</param>
    /// <param name="space">The space.</param>
    void SpaceLeft(AccessKind kind, uint space);

    /// <summary>Every entry of a space goes.</summary>
    void SpaceRemoved(uint space);
}
