namespace Mmu86.Hypervisor;

/// <summary>Where the bytes of swapped frames are: what <see cref="GuestMemoryManager"/> needs of a swap device. Called at barriers only.</summary>
public interface IPageStore
{
    /// <summary>Keeps a page.</summary>
    /// <param name="page">4096 bytes.</param>
    /// <param name="slot">What gets it back; below 2^52.</param>
    /// <returns>False where the store is full or cannot be written: the page stays where it is.</returns>
    bool TryStore(ReadOnlySpan<byte> page, out ulong slot);

    /// <summary>Gets a page back. The slot stays taken.</summary>
    /// <param name="slot">From <see cref="TryStore"/>.</param>
    /// <param name="page">4096 bytes, filled where the result is <see cref="PageLoad.Done"/>.</param>
    PageLoad Load(ulong slot, Span<byte> page);

    /// <summary>Whether a slot is one that <see cref="TryStore"/> gave and that was not freed since.</summary>
    bool Holds(ulong slot);

    /// <summary>The page in a slot is wanted no more.</summary>
    void Free(ulong slot);
}

/// <summary>What became of a page that was asked for.</summary>
public enum PageLoad
{
    /// <summary>Here it is.</summary>
    Done,

    /// <summary>Its bytes are not those that were stored.</summary>
    Corrupt,

    /// <summary>It cannot be read.</summary>
    Unreadable,
}
