using Mmu86.Hypervisor.Replacement;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <summary>Told which frames of one guest have a frame of the host. On the thread that the guest runs on.</summary>
public interface IResidencyObserver
{
    /// <summary>Frames became resident.</summary>
    /// <param name="first">The first of them; the others follow it.</param>
    /// <param name="frames">How many: what one nested page maps.</param>
    /// <param name="wasSwapped">Whether their bytes came from the page store; otherwise they are fresh.</param>
    void BecameResident(GuestFrameNumber first, ulong frames, bool wasSwapped);

    /// <summary>A frame is resident no more.</summary>
    void LeftResidence(GuestFrameNumber frame, Removal how);
}
