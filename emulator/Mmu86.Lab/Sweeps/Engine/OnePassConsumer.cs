using Mmu86.Lab.Sweeps.Grids;
using Mmu86.Lab.Sweeps.OnePass;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Sweeps.Engine;

/// <summary>One family of LRU arrays, fed with the lookups of its kind and page size.</summary>
/// <remarks>
/// A lookup is of the size that its entry has in structures that hold every size: the smaller of guest and EPT page. Lookups that failed
/// touch nothing. What the recorder's shortcut answered is a repeated touch, so misses need no more than what is in the stream.
/// </remarks>
internal sealed class OnePassConsumer : IStreamConsumer
{
    private const int BatchLength = 4096;

    private readonly LruFamily? _family;
    private readonly FullyAssociativeFamily? _fullyAssociative;
    private readonly PageReference[] _batch = new PageReference[BatchLength];
    private readonly Dictionary<int, long> _references = [];
    private readonly FragmentIndex _fragments = new();
    private PagingContext _context;
    private int _count;

    /// <summary>Prepares the family.</summary>
    public OnePassConsumer(LruFamilyRequest request)
    {
        Request = request;
        if (request.IsFullyAssociative)
            _fullyAssociative = new FullyAssociativeFamily(request.Ways[^1]);
        else
            _family = new LruFamily(new LruFamilyGeometry(request.Sets, request.Ways[^1]));
    }

    /// <summary>What was asked for.</summary>
    public LruFamilyRequest Request { get; }

    /// <summary>How many references a walk makes with no structure cache: of most lookups, where pages of several sizes have entries of this one.</summary>
    public int ReferencesOfAWalk => _references.Count == 0 ? 0 : _references.MaxBy(pair => (pair.Value, pair.Key)).Key;

    /// <summary>Misses of one array of the family.</summary>
    public long Misses(int sets, int ways)
    {
        Flush();
        return _family?.Misses(sets, ways) ?? _fullyAssociative!.Misses(ways);
    }

    /// <inheritdoc/>
    public void Apply(StreamChunk chunk)
    {
        ReadOnlySpan<ulong> words = chunk.Words.AsSpan(0, chunk.Count);
        for (int position = 0; position < words.Length; position += TranslationStreamReader.Length(words[position]))
        {
            switch (TranslationStreamReader.Operation(words[position]))
            {
                case StreamOperation.Lookup:
                    Add(new LookupEvent(words[position], words[position + 1]));
                    break;
                case StreamOperation.PageRemoved:
                    Remove((uint)(words[position] >> 4), words[position + 1]);
                    break;
                case StreamOperation.AddressRemoved:
                    RemoveAddress((uint)(words[position] >> 4), words[position + 1]);
                    break;
                case StreamOperation.SpaceRemoved:
                    RemoveSpace((uint)(words[position] >> 4));
                    break;
                case StreamOperation.SpaceLeft:
                    LeaveSpace((uint)(words[position] >> 5), isInstruction: ((words[position] >> 4) & 1) != 0);
                    break;
                case StreamOperation.Context:
                    _context = TranslationStreamReader.Context(words[position..]);
                    break;
                case StreamOperation.Table:
                case StreamOperation.TableLine:
                case StreamOperation.Invalidation:
                case StreamOperation.Mark:
                    break;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private void Add(LookupEvent lookup)
    {
        if ((lookup.Kind == AccessKind.Fetch) != Request.IsInstruction || lookup.IsFailed || lookup.HeldSize != Request.PageSize)
            return;
        if (lookup.GuestSize.Held() != Request.PageSize)
            _fragments.Add(lookup);
        ref long count = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_references, References(lookup), out _);
        count++;
        if (_count == BatchLength)
            Flush();
        _batch[_count++] = new PageReference(lookup.Page >> (Request.PageSize.Shift() - 12), lookup.Space, lookup.Repeats);
    }

    // Every level of every table: each of the guest's needs a walk of EPT, and so does the page itself.
    private int References(LookupEvent lookup)
    {
        int guest = _context.Mode switch
        {
            GuestPagingMode.None => 0,
            GuestPagingMode.Bits32 or GuestPagingMode.Pae => 2,
            GuestPagingMode.FourLevel => 4,
            GuestPagingMode.FiveLevel => 5,
            _ => throw new System.Diagnostics.UnreachableException(),
        };
        guest = Math.Max(0, guest - Depth(lookup.GuestSize));
        return _context.IsNested ? ((guest + 1) * (EptPointer.Levels(_context.Eptp) - Depth(lookup.EptSize) + 1)) - 1 : guest;
    }

    // Levels that a walk to a page of this size does not reach.
    private static int Depth(PageSize size) => (int)size.Held();

    private void RemoveAddress(uint space, ulong address)
    {
        Flush();
        RemovePage(LookupEvent.PageNumber(address, Request.PageSize), space);
    }

    private void Remove(uint space, ulong address)
    {
        RemoveAddress(space, address);
        foreach (ulong page in _fragments.Of(space, address))
            RemovePage(page >> (Request.PageSize.Shift() - 12), space);
    }

    private void RemovePage(ulong page, uint space)
    {
        _family?.InvalidatePage(page, space);
        _fullyAssociative?.InvalidatePage(page, space);
    }

    // The base machine may give the space's number to another one from now on.
    private void RemoveSpace(uint space)
    {
        Flush();
        _fragments.Forget(space);
        _family?.RetireSpace(space);
        _fullyAssociative?.RetireSpace(space);
    }

    // The family has the base machine's slots for spaces, whatever its geometry.
    private void LeaveSpace(uint space, bool isInstruction)
    {
        if (isInstruction != Request.IsInstruction)
            return;
        Flush();
        _family?.InvalidateSpace(space);
        _fullyAssociative?.InvalidateSpace(space);
    }

    private void Flush()
    {
        if (_count == 0)
            return;
        ReadOnlySpan<PageReference> batch = _batch.AsSpan(0, _count);
        _family?.Access(batch);
        _fullyAssociative?.Access(batch);
        _count = 0;
    }
}
