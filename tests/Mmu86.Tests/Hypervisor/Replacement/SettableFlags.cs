using Mmu86.Hypervisor.Replacement;
using Mmu86.X86;

namespace Mmu86.Tests.Hypervisor.Replacement;

/// <summary>Flags of frames as a test sets them.</summary>
internal sealed class SettableFlags : IAccessInformation
{
    public HashSet<GuestFrameNumber> Accessed { get; } = [];

    public HashSet<GuestFrameNumber> Dirty { get; } = [];

    public List<GuestFrameNumber> Cleaned { get; } = [];

    public long Tested { get; private set; }

    public bool TestAndClearAccessed(GuestFrameNumber frame)
    {
        Tested++;
        return Accessed.Remove(frame);
    }

    public bool IsDirty(GuestFrameNumber frame) => Dirty.Contains(frame);

    public void StartCleaning(GuestFrameNumber frame)
    {
        Cleaned.Add(frame);
    }
}
