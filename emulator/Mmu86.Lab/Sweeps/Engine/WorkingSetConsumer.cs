using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Engine;

/// <summary>Counts the distinct pages touched in each interval between two moments of the stream.</summary>
internal sealed class WorkingSetConsumer : IStreamConsumer
{
    // Neighbouring intervals are joined beyond this: enough points for a curve.
    private const int MostSamples = 256;

    private readonly HashSet<ulong> _data4K = [];
    private readonly HashSet<ulong> _code4K = [];
    private readonly HashSet<ulong> _data2M = [];
    private readonly List<WorkingSetSample> _samples = [];
    private int _intervalsInSample = 1;
    private int _intervals;
    private ulong _lastData = ulong.MaxValue;
    private ulong _lastCode = ulong.MaxValue;

    /// <summary>The samples so far.</summary>
    public IReadOnlyList<WorkingSetSample> Samples => _samples;

    /// <inheritdoc/>
    public void Apply(StreamChunk chunk)
    {
        ReadOnlySpan<ulong> words = chunk.Words.AsSpan(0, chunk.Count);
        for (int position = 0; position < words.Length; position += TranslationStreamReader.Length(words[position]))
        {
            switch (TranslationStreamReader.Operation(words[position]))
            {
                case StreamOperation.Lookup:
                    Touch(new LookupEvent(words[position], words[position + 1]));
                    break;
                case StreamOperation.Mark:
                    Mark(TranslationStreamReader.Mark(words[position..]));
                    break;
                case StreamOperation.Context:
                case StreamOperation.Table:
                case StreamOperation.TableLine:
                case StreamOperation.Invalidation:
                case StreamOperation.PageRemoved:
                case StreamOperation.AddressRemoved:
                case StreamOperation.SpaceRemoved:
                case StreamOperation.SpaceLeft:
                    break;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private void Touch(LookupEvent lookup)
    {
        // Pages of different spaces are different pages; a space's number fits above a page's 45 bits.
        ulong page = lookup.Page | ((ulong)lookup.Space << 45);
        if (lookup.Kind == AccessKind.Fetch)
        {
            if (page != _lastCode)
                _code4K.Add(page);
            _lastCode = page;
            return;
        }

        if (page == _lastData)
            return;
        _lastData = page;
        if (_data4K.Add(page))
            _data2M.Add((lookup.Page >> 9) | ((ulong)lookup.Space << 45));
    }

    private void Mark(StreamMark mark)
    {
        bool isLast = mark.Moment == StreamMoment.Last;
        if ((mark.Moment != StreamMoment.Interval && !isLast) || mark.Instructions == 0)
            return;
        _intervals++;
        if (_intervals < _intervalsInSample && !isLast)
            return;
        if (_samples.Count > 0 && _samples[^1].Instructions == (long)mark.Instructions)
            return;
        _samples.Add(new WorkingSetSample((long)mark.Instructions, _data4K.Count, _code4K.Count, _data2M.Count));
        _data4K.Clear();
        _code4K.Clear();
        _data2M.Clear();
        _lastData = ulong.MaxValue;
        _lastCode = ulong.MaxValue;
        _intervals = 0;
        if (_samples.Count == MostSamples)
            Thin();
    }

    // Half as many samples, twice as long from now on. Of two joined ones the larger stands: a working set of an interval, not of two.
    private void Thin()
    {
        for (int i = 0; i < MostSamples / 2; i++)
        {
            WorkingSetSample a = _samples[2 * i];
            WorkingSetSample b = _samples[(2 * i) + 1];
            _samples[i] = new WorkingSetSample(
                b.Instructions, Math.Max(a.DataPages4K, b.DataPages4K), Math.Max(a.CodePages4K, b.CodePages4K), Math.Max(a.DataPages2M, b.DataPages2M));
        }

        _samples.RemoveRange(MostSamples / 2, MostSamples / 2);
        _intervalsInSample *= 2;
    }
}
