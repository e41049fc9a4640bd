using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <content>What live migration asks. Only while the machine does not run.</content>
public sealed partial class GuestMemoryManager
{
    private const string CountsSection = "nested-counts";

    /// <summary>Adds every frame of RAM that holds something, wherever it is, in ascending order.</summary>
    public void AddPopulated(List<GuestFrameNumber> frames) => AddFrames(frames, (entry, level) =>
        IsLeaf(entry, level) ? _host.IsRam(Address(entry)) : entry is not (0 or BalloonedMark));

    /// <summary>Adds every frame in the guest's balloon, in ascending order.</summary>
    public void AddBallooned(List<GuestFrameNumber> frames) => AddFrames(frames, (entry, _) => entry == BalloonedMark);

    /// <summary>Writes what was done to the tables so far, as a section.</summary>
    internal StateSection SaveCounts()
    {
        var writer = new StateWriter(ForgottenHostAddresses.All);
        writer.Begin(CountsSection);
        Counts.Save(writer);
        writer.End();
        return writer.Sections[0];
    }

    /// <summary>Counts on from what was done to a machine's tables elsewhere.</summary>
    /// <exception cref="StateFormatException">There is no such section, or it is broken.</exception>
    internal void LoadCounts(IReadOnlyList<StateSection> sections)
    {
        var reader = new StateReader(sections, ForgottenHostAddresses.All);
        reader.Open(CountsSection);
        Counts.Load(reader);
        reader.Close();
    }

    private void AddFrames(List<GuestFrameNumber> frames, Func<ulong, int, bool> isWanted)
    {
        ulong next = 0;
        while (next < _layout.Top.Value)
        {
            _ = FindEntry(new GuestPhysicalAddress(next), out int level, out ulong entry);
            int shift = 12 + (9 * (level - 1));
            ulong end = ((next >> shift) + 1) << shift;
            if (isWanted(entry, level))
            {
                for (ulong frame = next >> 12; frame < end >> 12; frame++)
                    frames.Add(new GuestFrameNumber(frame));
            }

            next = end;
        }
    }
}
