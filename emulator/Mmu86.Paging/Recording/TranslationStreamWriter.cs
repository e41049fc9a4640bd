using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Mmu86.Paging;

/// <summary>Appends operations to a translation stream.</summary>
/// <param name="sink">Takes the chunks.</param>
public sealed class TranslationStreamWriter(IStreamSink sink)
{
    /// <summary>The words of a <see cref="StreamOperation.Context"/>.</summary>
    public const int ContextWords = 13;

    /// <summary>The words of a <see cref="StreamOperation.Mark"/>.</summary>
    public const int MarkWords = 10;

    /// <summary>The words of a <see cref="StreamOperation.Table"/>.</summary>
    public const int TableWords = 1 + 512;

    /// <summary>The words of a <see cref="StreamOperation.TableLine"/>.</summary>
    public const int TableLineWords = 1 + 8;

    private StreamChunk _chunk = new();

    /// <summary>Counts up whenever a chunk was handed over: positions in earlier ones are void.</summary>
    public int Generation { get; private set; }

    /// <summary>Appends lookups.</summary>
    /// <returns>The position of the event's second word, for <see cref="Repeat"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Lookup(ulong first, ulong second)
    {
        StreamChunk chunk = _chunk;
        int position = chunk.Count;
        if (position > StreamChunk.Capacity - StreamChunk.Room)
            return LookupInNext(first, second);
        chunk.Words[position] = first;
        chunk.Words[position + 1] = second;
        chunk.Count = position + LookupEvent.Words;
        return position + 1;
    }

    /// <summary>Adds lookups to an event of the current chunk.</summary>
    /// <param name="position">What <see cref="Lookup"/> returned, while <see cref="Generation"/> has not changed.</param>
    /// <param name="times">How many more.</param>
    /// <returns>False where the count has no room for them: nothing was added.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Repeat(int position, ulong times)
    {
        ref ulong word = ref _chunk.Words[position];
        if ((uint)word + times > uint.MaxValue)
            return false;
        word += times;
        return true;
    }

    /// <summary>Appends a context. Controls of EPT that change what a walk does are the caller's to refuse.</summary>
    public void Context(in PagingContext context)
    {
        Span<ulong> words = Take(ContextWords);
        words[0] = (ulong)StreamOperation.Context;
        words[1] = (ulong)context.Cr0;
        words[2] = context.Cr3;
        words[3] = (ulong)context.Cr4;
        words[4] = (ulong)context.Efer;
        words[5] = context.Eptp;
        words[6] = context.Vpid;
        words[7] = context.Pdptes.First;
        words[8] = context.Pdptes.Second;
        words[9] = context.Pdptes.Third;
        words[10] = context.Pdptes.Fourth;
        words[11] = context.Pkru | ((ulong)context.Pkrs << 32);
        words[12] = context.Pat;
    }

    /// <summary>Appends a paging table.</summary>
    /// <param name="hostAddress">Its host-physical address, a frame.</param>
    /// <param name="entries">Its 512 words.</param>
    public void Table(ulong hostAddress, ReadOnlySpan<ulong> entries)
    {
        Span<ulong> words = Take(TableWords);
        words[0] = hostAddress | (ulong)StreamOperation.Table;
        entries.CopyTo(words[1..]);
    }

    /// <summary>Appends a line of a paging table.</summary>
    /// <param name="hostAddress">Its host-physical address, a multiple of 64.</param>
    /// <param name="entries">Its 8 words.</param>
    public void TableLine(ulong hostAddress, ReadOnlySpan<ulong> entries)
    {
        Span<ulong> words = Take(TableLineWords);
        words[0] = hostAddress | (ulong)StreamOperation.TableLine;
        entries.CopyTo(words[1..]);
    }

    /// <summary>Appends an invalidation.</summary>
    public void Invalidation(StreamInvalidation what, ulong first, ulong second)
    {
        Span<ulong> words = Take(3);
        words[0] = ((ulong)what << 4) | (ulong)StreamOperation.Invalidation;
        words[1] = first;
        words[2] = second;
    }

    /// <summary>Appends that entries of a page were dropped.</summary>
    public void PageRemoved(uint space, ulong address) => Removed(StreamOperation.PageRemoved, space, address);

    /// <summary>Appends that what answers for an address was dropped.</summary>
    public void AddressRemoved(uint space, ulong address) => Removed(StreamOperation.AddressRemoved, space, address);

    /// <summary>Appends that every entry of a space was dropped.</summary>
    public void SpaceRemoved(uint space) => Take(1)[0] = ((ulong)space << 4) | (ulong)StreamOperation.SpaceRemoved;

    /// <summary>Appends that a first level dropped a space that it has no slot for.</summary>
    public void SpaceLeft(AccessKind kind, uint space) =>
        Take(1)[0] = ((ulong)space << 5) | (kind == AccessKind.Fetch ? 1UL << 4 : 0) | (ulong)StreamOperation.SpaceLeft;

    /// <summary>Appends a moment.</summary>
    public void Mark(StreamMark mark)
    {
        Span<ulong> words = Take(MarkWords);
        words[0] = ((ulong)mark.Moment << 4) | (ulong)StreamOperation.Mark;
        words[1] = mark.Instructions;
        words[2] = mark.DataLookups;
        words[3] = mark.FetchLookups;
        for (int size = 0; size < 3; size++)
        {
            words[4 + size] = mark.DataBySize[size];
            words[7 + size] = mark.FetchBySize[size];
        }
    }

    /// <summary>Hands over what is there.</summary>
    public void Flush()
    {
        if (_chunk.Count == 0)
            return;
        _chunk = sink.Exchange(_chunk);
        Debug.Assert(_chunk.Count == 0);
        Generation++;
    }

    private void Removed(StreamOperation operation, uint space, ulong address)
    {
        Span<ulong> words = Take(2);
        words[0] = ((ulong)space << 4) | (ulong)operation;
        words[1] = address;
    }

    private Span<ulong> Take(int words)
    {
        if (_chunk.Count + words > StreamChunk.Capacity)
            Flush();
        Span<ulong> taken = _chunk.Words.AsSpan(_chunk.Count, words);
        _chunk.Count += words;
        return taken;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int LookupInNext(ulong first, ulong second)
    {
        Flush();
        return Lookup(first, second);
    }
}
