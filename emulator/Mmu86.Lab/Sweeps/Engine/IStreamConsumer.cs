using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Engine;

/// <summary>Configurations that see a translation stream. Used by one thread at a time.</summary>
internal interface IStreamConsumer : IDisposable
{
    /// <summary>Takes the next chunk; it is not kept.</summary>
    void Apply(StreamChunk chunk);
}
