using Mmu86.Lab.Sweeps.Engine;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>Writes a stream to a file beside those who take it.</summary>
internal sealed class RecordConsumer(StreamFileWriter writer) : IStreamConsumer
{
    /// <inheritdoc/>
    public void Apply(StreamChunk chunk) => writer.Write(chunk);

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
