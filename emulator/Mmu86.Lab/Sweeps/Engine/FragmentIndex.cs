using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Sweeps.Engine;

/// <summary>Which entries are fragments of larger guest pages: an invalidation of any address of the guest page drops them all.</summary>
internal sealed class FragmentIndex
{
    private readonly Dictionary<(uint Space, PageSize Size, ulong GuestPage), HashSet<ulong>> _pages = [];

    /// <summary>Notes a lookup whose entry is smaller than its guest page.</summary>
    public void Add(LookupEvent lookup)
    {
        var key = (lookup.Space, lookup.GuestSize, lookup.Address >> lookup.GuestSize.Shift());
        if (!_pages.TryGetValue(key, out HashSet<ulong>? pages))
            _pages.Add(key, pages = []);
        pages.Add(lookup.Page);
    }

    /// <summary>The 4 KiB page numbers looked up in the guest pages that hold an address.</summary>
    public IEnumerable<ulong> Of(uint space, ulong address)
    {
        if (_pages.Count == 0)
            yield break;
        foreach (PageSize size in new[] { PageSize.Size2M, PageSize.Size4M, PageSize.Size1G })
        {
            if (!_pages.Remove((space, size, address >> size.Shift()), out HashSet<ulong>? pages))
                continue;
            foreach (ulong page in pages)
                yield return page;
        }
    }

    /// <summary>Forgets a space.</summary>
    public void Forget(uint space)
    {
        if (_pages.Count == 0)
            return;
        foreach ((uint Space, PageSize Size, ulong GuestPage) key in _pages.Keys.Where(key => key.Space == space).ToArray())
            _pages.Remove(key);
    }
}
