using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>A stream of accesses to pages of all sizes that never fault, with context switches and invalidations in between.</summary>
internal sealed class AccessStream
{
    private readonly PagedMachine _machine;
    private readonly Random _random;
    private readonly List<MappedPage> _pages = [];
    private MappedPage _last;

    /// <summary>Maps the pages.</summary>
    public AccessStream(PagedMachine machine, Random random)
    {
        _machine = machine;
        _random = random;
        // Runs of neighbours, and pages that meet in one set.
        int stride = 1 << random.Next(8);
        // Mostly such that neighbours belong together: frames as contiguous as pages, and all of them global or none.
        bool isGlobal = false;
        for (int i = 0; i < 48; i++)
        {
            if (i % 16 == 0)
                isGlobal = random.Next(4) == 0;
            Add(0x4000_0000_0000 + ((ulong)i << 12), PageSize.Size4K, random.Next(24) == 0 ? !isGlobal : isGlobal);
        }

        for (int i = 0; i < 24; i++)
            Add(0x5000_0000_0000 + ((ulong)(i * stride) << 12), PageSize.Size4K, random.Next(4) == 0);
        for (int i = 0; i < 16; i++)
            Add(0x6000_0000_0000 + ((ulong)i << 21), PageSize.Size2M, random.Next(4) == 0);
        for (int i = 0; i < 6; i++)
            Add(0xFFFF_9000_0000_0000 + ((ulong)i << 30), PageSize.Size1G, random.Next(4) == 0);
        _last = _pages[0];
    }

    /// <summary>The next access.</summary>
    public Access Next()
    {
        if (_random.Next(3) != 0)
            _last = _pages[_random.Next(2) == 0 ? _random.Next(_pages.Count) : _random.Next(Math.Min(_pages.Count, 12))];
        // Few places in a large page, so that fragments of it are met again.
        ulong place = _last.Size == PageSize.Size4K ? 0 : (ulong)_random.Next(6) * (_last.Size.Bytes() / 8);
        ulong offset = place + (uint)_random.Next(4096);
        return new Access(
            new LinearAddress(_last.Base + offset), (AccessKind)_random.Next(3), (AccessMode)_random.Next(4), _last);
    }

    /// <summary>The page at an address; null where none is mapped.</summary>
    public (PageSize Size, bool IsGlobal)? PageAt(ulong address)
    {
        foreach (MappedPage page in _pages)
        {
            if ((page.Base ^ address) >> page.Size.Shift() == 0)
                return (page.Size, page.IsGlobal);
        }

        return null;
    }

    /// <summary>Whether the pages of an aligned group of small pages may share an entry: every one of them is there, as global as the others, and their
    /// frames are a group as aligned.</summary>
    public bool AreTogether(ulong address, int pages)
    {
        ulong first = address & ~(((ulong)pages << 12) - 1);
        MappedPage[] group = [.. _pages.Where(page => page.Size == PageSize.Size4K && page.Base >= first && page.Base < first + ((ulong)pages << 12)).OrderBy(page => page.Base)];
        return group.Length == pages
            && group[0].Frame % (ulong)pages == 0
            && group.Select((page, i) => page.Frame == group[0].Frame + (ulong)i && page.IsGlobal == group[0].IsGlobal).All(isSo => isSo);
    }

    /// <summary>A context switch or an invalidation, told to the MMU and to the reference.</summary>
    public void Disturb(ReferenceTlb reference)
    {
        IMmu mmu = _machine.Mmu;
        ushort pcid = (ushort)_random.Next(3);
        ushort current = mmu.Context.Pcid;
        LinearAddress address = Next().Address;
        switch (_random.Next(12))
        {
            case 0:
                mmu.InvalidatePage(address);
                reference.Remove(entry => entry.IsOfPage(address) && (entry.IsGlobal || entry.Pcid == current));
                break;
            case 1:
                mmu.InvalidatePage(address, pcid);
                reference.Remove(entry => entry.IsOfPage(address) && !entry.IsGlobal && entry.Pcid == pcid);
                break;
            case 2:
                mmu.InvalidatePcid(pcid);
                reference.Remove(entry => !entry.IsGlobal && entry.Pcid == pcid);
                break;
            case 3 when _random.Next(3) == 0:
                mmu.InvalidateAllNonGlobal();
                reference.Remove(entry => !entry.IsGlobal);
                break;
            case 4 when _random.Next(3) == 0:
                mmu.InvalidateAll();
                reference.Remove(_ => true);
                break;
            default:
                _machine.Use(_machine.Tables, pcid);
                reference.Use(pcid);
                break;
        }
    }

    private void Add(ulong linear, PageSize size, bool isGlobal)
    {
        ulong frame = size == PageSize.Size4K ? 0x800 + ((linear >> 12) & 0x7FF) : 0;
        if (size == PageSize.Size4K && _random.Next(16) == 0)
            frame ^= 1UL << _random.Next(5);
        var page = new MappedPage(linear, size, isGlobal, frame);
        _pages.Insert(_random.Next(_pages.Count + 1), page);
        _machine.Map(linear, frame << 12, size, PagedMachine.Page | (page.IsGlobal ? PagingEntry.Global : 0));
    }

    /// <summary>A page of the stream.</summary>
    public readonly record struct MappedPage(ulong Base, PageSize Size, bool IsGlobal, ulong Frame);

    /// <summary>An access of the stream.</summary>
    public readonly record struct Access(LinearAddress Address, AccessKind Kind, AccessMode Mode, MappedPage Page);
}
