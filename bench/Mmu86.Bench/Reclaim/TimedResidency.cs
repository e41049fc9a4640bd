using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Replacement;
using Mmu86.X86;

namespace Mmu86.Bench.Reclaim;

/// <summary>An observer of residency that tells a profile when it works.</summary>
internal sealed class TimedResidency(IResidencyObserver observer, WorkProfile profile) : IResidencyObserver
{
    /// <inheritdoc/>
    public void BecameResident(GuestFrameNumber first, ulong frames, bool wasSwapped)
    {
        HostWork outer = profile.Begin(HostWork.Books);
        observer.BecameResident(first, frames, wasSwapped);
        profile.End(outer);
    }

    /// <inheritdoc/>
    public void LeftResidence(GuestFrameNumber frame, Removal how)
    {
        HostWork outer = profile.Begin(HostWork.Books);
        observer.LeftResidence(frame, how);
        profile.End(outer);
    }
}
