namespace Mmu86.Paging;

/// <summary>Whoever takes a translation stream as it is recorded.</summary>
public interface IStreamSink
{
    /// <summary>Takes a full chunk and gives an empty one for it. May wait.</summary>
    StreamChunk Exchange(StreamChunk full);
}
