using Mmu86.X86;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>Second chance: a hand goes round the guest's frames in the order of their numbers, clears accessed flags and stops at the first frame without.</summary>
public sealed class ClockChooser : IVictimChooser
{
    private GuestFrameNumber _hand;

    /// <inheritdoc/>
    public bool TryChoose(GuestMemoryManager memory, out GuestFrameNumber victim)
    {
        victim = default;
        int turns = 0;

        // In the first turn every flag is cleared, so the second finds a frame: the hand passes the end twice at most.
        while (turns < 3)
        {
            if (!memory.TryFindResident(_hand, out GuestFrameNumber frame))
            {
                _hand = default;
                turns++;
                continue;
            }

            _hand = new GuestFrameNumber(frame.Value + 1);
            if (memory.WasAccessed(frame))
            {
                memory.ClearAccessed(frame);
                continue;
            }

            victim = frame;
            return true;
        }

        return false;
    }
}
