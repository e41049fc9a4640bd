using Mmu86.Hypervisor.Replacement;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Bench.Reclaim;

/// <summary>A policy that tells a profile when it works. It decides what the policy inside decides.</summary>
internal sealed class TimedPolicy(IReplacementPolicy policy, WorkProfile profile) : IReplacementPolicy
{
    private GuestFrameNumber? _chosen;

    /// <inheritdoc/>
    public string Name => policy.Name;

    /// <inheritdoc/>
    public int Count => policy.Count;

    /// <inheritdoc/>
    public int PinnedCount => policy.PinnedCount;

    /// <inheritdoc/>
    public int GhostCount => policy.GhostCount;

    /// <inheritdoc/>
    public ulong Now => policy.Now;

    /// <inheritdoc/>
    public bool IsResident(GuestFrameNumber frame) => policy.IsResident(frame);

    /// <inheritdoc/>
    public void Inserted(GuestFrameNumber frame, Insertion how)
    {
        HostWork outer = profile.Begin(HostWork.Books);
        policy.Inserted(frame, how);
        profile.End(outer);
    }

    /// <inheritdoc/>
    public void Removed(GuestFrameNumber frame, Removal how)
    {
        // Victims are removed as they are chosen: it is part of the choice, and so is what a batch does up to the next one.
        HostWork outer = profile.Begin(frame == _chosen ? HostWork.Choosing : HostWork.Books);
        policy.Removed(frame, how);
        if (frame == _chosen)
            profile.Linger();
        else
            profile.End(outer);
    }

    /// <inheritdoc/>
    public void Pin(GuestFrameNumber frame) => policy.Pin(frame);

    /// <inheritdoc/>
    public void Unpin(GuestFrameNumber frame) => policy.Unpin(frame);

    /// <inheritdoc/>
    public bool TryChooseVictim(IAccessInformation access, GuestFrameNumber? incoming, out GuestFrameNumber victim)
    {
        HostWork outer = profile.Begin(HostWork.Choosing);
        bool found = policy.TryChooseVictim(access, incoming, out victim);
        profile.End(outer);
        _chosen = found ? victim : null;
        return found;
    }

    /// <inheritdoc/>
    public void Tick(IAccessInformation access, ulong virtualNanoseconds)
    {
        HostWork outer = profile.Begin(HostWork.Scanning);
        policy.Tick(access, virtualNanoseconds);
        profile.End(outer);
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer) => policy.Save(writer);

    /// <inheritdoc/>
    public void Load(StateReader reader) => policy.Load(reader);

    /// <inheritdoc/>
    public void Verify() => policy.Verify();
}
