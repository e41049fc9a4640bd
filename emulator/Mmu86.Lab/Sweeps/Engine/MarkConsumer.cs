using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Engine;

/// <summary>Keeps the last moment that a stream told of.</summary>
internal sealed class MarkConsumer : IStreamConsumer
{
    private StreamMark? _last;

    /// <summary>The last moment.</summary>
    /// <exception cref="InvalidOperationException">There was none.</exception>
    public StreamMark Last => _last ?? throw new InvalidOperationException("The stream told of no moment.");

    /// <inheritdoc/>
    public void Apply(StreamChunk chunk)
    {
        ReadOnlySpan<ulong> words = chunk.Words.AsSpan(0, chunk.Count);
        for (int position = 0; position < words.Length; position += TranslationStreamReader.Length(words[position]))
        {
            if (TranslationStreamReader.Operation(words[position]) == StreamOperation.Mark)
                _last = TranslationStreamReader.Mark(words[position..]);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
