using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Engine;

/// <summary>Configurations that are simulated as they are, each by an MMU of its own.</summary>
internal sealed class ModelConsumer : IStreamConsumer
{
    private readonly ReplayedMmus _mmus;

    /// <summary>Builds the MMUs.</summary>
    /// <param name="memoryBytes">The size of the recorded host's memory.</param>
    /// <param name="members">The configurations.</param>
    public ModelConsumer(ulong memoryBytes, IReadOnlyList<ReplayMember> members) =>
        _mmus = new ReplayedMmus(memoryBytes, members);

    /// <summary>What a configuration counted.</summary>
    public MmuStatistics Statistics(int member) => _mmus.Statistics(member);

    /// <inheritdoc/>
    public void Apply(StreamChunk chunk) => _mmus.Apply(chunk);

    /// <inheritdoc/>
    public void Dispose() => _mmus.Dispose();
}
