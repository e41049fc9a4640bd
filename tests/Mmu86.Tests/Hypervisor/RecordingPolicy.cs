using Mmu86.Hypervisor.Replacement;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Tests.Hypervisor;

/// <summary>First in, first out, and a line for everything that it is told.</summary>
internal sealed class RecordingPolicy(int frames) : IReplacementPolicy
{
    private readonly IReplacementPolicy _policy = PageReplacement.Find("fifo")!.Create(ReplacementOptions.Default(frames, 1));

    public List<string> Log { get; } = [];

    public List<ulong> Ticks { get; } = [];

    public string Name => "recording";

    public int Count => _policy.Count;

    public int PinnedCount => _policy.PinnedCount;

    public int GhostCount => _policy.GhostCount;

    public ulong Now => _policy.Now;

    public bool IsResident(GuestFrameNumber frame) => _policy.IsResident(frame);

    public void Inserted(GuestFrameNumber frame, Insertion how)
    {
        Log.Add($"inserted {frame.Value} {how.Kind} {how.RefaultDistance}");
        _policy.Inserted(frame, how);
    }

    public void Removed(GuestFrameNumber frame, Removal how)
    {
        Log.Add($"removed {frame.Value} {how}");
        _policy.Removed(frame, how);
    }

    public void Pin(GuestFrameNumber frame) => _policy.Pin(frame);

    public void Unpin(GuestFrameNumber frame) => _policy.Unpin(frame);

    public bool TryChooseVictim(IAccessInformation access, GuestFrameNumber? incoming, out GuestFrameNumber victim) => _policy.TryChooseVictim(access, incoming, out victim);

    public void Tick(IAccessInformation access, ulong virtualNanoseconds)
    {
        Ticks.Add(virtualNanoseconds);
        _policy.Tick(access, virtualNanoseconds);
    }

    public void Save(StateWriter writer) => _policy.Save(writer);

    public void Load(StateReader reader) => _policy.Load(reader);

    public void Verify() => _policy.Verify();
}
