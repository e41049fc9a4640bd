using Mmu86.Hypervisor.Replacement;

namespace Mmu86.Tests.Hypervisor.Replacement;

/// <summary>Flags of frames as a test sets them.</summary>
internal sealed class SettableFlags : IAccessInformation
{
    public HashSet<FrameId> Accessed { get; } = [];

    public HashSet<FrameId> Dirty { get; } = [];

    public List<FrameId> Cleaned { get; } = [];

    public long Tested { get; private set; }

    public bool TestAndClearAccessed(FrameId frame)
    {
        Tested++;
        return Accessed.Remove(frame);
    }

    public bool IsDirty(FrameId frame) => Dirty.Contains(frame);

    public void StartCleaning(FrameId frame)
    {
        Cleaned.Add(frame);
    }
}
