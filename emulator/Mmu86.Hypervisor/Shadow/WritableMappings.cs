using Mmu86.X86;

namespace Mmu86.Hypervisor.Shadow;

/// <summary>A shadow entry.</summary>
internal readonly record struct ShadowPlace(ShadowTable Table, int Index);

/// <summary>Which shadow entries let the guest write to a frame: found when the frame turns out to be a paging table.</summary>
internal sealed class WritableMappings
{
    // Nearly every page is mapped once. The key is the first frame and the size.
    private readonly Dictionary<ulong, ShadowPlace> _first = [];
    private readonly Dictionary<ulong, List<ShadowPlace>> _more = [];

    /// <summary>An entry lets the guest write to a page from now on.</summary>
    public void Add(GuestFrameNumber frame, PageSize size, ShadowPlace place)
    {
        ulong key = Key(frame, size);
        if (_first.TryAdd(key, place))
            return;
        if (!_more.TryGetValue(key, out List<ShadowPlace>? places))
            _more.Add(key, places = []);
        places.Add(place);
    }

    /// <summary>An entry does not any more.</summary>
    public void Remove(GuestFrameNumber frame, PageSize size, ShadowPlace place)
    {
        ulong key = Key(frame, size);
        _more.TryGetValue(key, out List<ShadowPlace>? places);
        if (_first[key] != place)
        {
            places!.Remove(place);
        }
        else if (places is null)
        {
            _first.Remove(key);
            return;
        }
        else
        {
            _first[key] = places[^1];
            places.RemoveAt(places.Count - 1);
        }

        if (places.Count == 0)
            _more.Remove(key);
    }

    /// <summary>Finds an entry that lets the guest write to a frame, by a page of any size.</summary>
    public bool TryFind(GuestFrameNumber frame, out ShadowPlace place)
    {
        for (PageSize size = PageSize.Size4K; size <= PageSize.Size1G; size++)
        {
            if (_first.TryGetValue(Key(new GuestFrameNumber(frame.Value & ~(size.OffsetMask() >> 12)), size), out place))
                return true;
        }

        place = default;
        return false;
    }

    private static ulong Key(GuestFrameNumber frame, PageSize size) => (frame.Value << 2) | (ulong)size;
}
