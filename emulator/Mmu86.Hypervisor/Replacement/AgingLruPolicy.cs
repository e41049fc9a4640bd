using System.Numerics;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>LRU as far as accessed flags show it: each scan shifts a frame's flag into the top of eight bits; the smallest number gives way.</summary>
/// <remarks>
/// A list for each number, so that the smallest is found in constant time; within a list the one that came to it first gives way. Where a scan follows
/// every access this is LRU exactly: a frame comes to the list of zero eight scans after its last use, so that list is in the order of use.
/// Tanenbaum, "Modern Operating Systems", "Simulating LRU in Software" (aging).
/// </remarks>
internal sealed class AgingLruPolicy(ReplacementOptions options) : TrackingPolicy("lru", options, Ages)
{
    private const int Ages = 256;
    private const byte JustUsed = 0x80;

    // Nobody has asked for what was read ahead: as if it was used a scan ago.
    private const byte ReadAheadAge = 0x40;

    // A set bit: the list may have frames. Bits are cleared when a list is found empty.
    private readonly ulong[] _filled = new ulong[Ages / 64];

    /// <inheritdoc/>
    protected override bool Scans => true;

    /// <inheritdoc/>
    protected override void Enter(int frame, Insertion how) => SetAge(frame, how.Kind == InsertionKind.ReadAhead ? ReadAheadAge : JustUsed);

    /// <inheritdoc/>
    protected override void Return(int frame) => SetAge(frame, (byte)(Table[frame].Age | JustUsed));

    /// <inheritdoc/>
    protected override void Visit(IAccessInformation access, int first, ulong frames)
    {
        ulong used = TestAndClear(access, first, frames);
        for (; frames != 0; frames &= frames - 1)
        {
            int place = BitOperations.TrailingZeroCount(frames);
            byte before = Table[first + place].Age;
            byte after = (byte)((before >> 1) | ((used >> place & 1) != 0 ? JustUsed : 0));
            if (after != before)
                SetAge(first + place, after);
        }
    }

    /// <inheritdoc/>
    protected override int Choose(IAccessInformation access, int ghost)
    {
        // A frame used since its scan is not as old as its number says. A flag cleared pays for each step.
        for (int left = Count - PinnedCount; left > 0; left--)
        {
            int frame = Table.Oldest(SmallestAge());
            if (!TestAndClear(access, frame))
                return frame;
            SetAge(frame, (byte)(Table[frame].Age | JustUsed));
        }

        return Table.Oldest(SmallestAge());
    }

    /// <inheritdoc/>
    public override void Verify()
    {
        base.Verify();
        VerifyLists(Ages - 1);
        for (int age = 0; age < Ages; age++)
            FrameTable.Require(Table.CountOf(age) == 0 || (_filled[age >> 6] >> (age & 63) & 1) != 0, "a list that has frames is taken for empty");
    }

    /// <inheritdoc/>
    protected override void LoadMore(StateReader reader)
    {
        Array.Clear(_filled);
        for (int age = 0; age < Ages; age++)
            _filled[age >> 6] |= Table.CountOf(age) != 0 ? 1UL << (age & 63) : 0;
    }

    private void SetAge(int frame, byte age)
    {
        Table[frame].Age = age;
        Table.MoveToNewest(frame, age);
        _filled[age >> 6] |= 1UL << (age & 63);
    }

    private int SmallestAge()
    {
        for (int word = 0; ;)
        {
            if (_filled[word] == 0)
            {
                word++;
                continue;
            }

            int age = (word * 64) + BitOperations.TrailingZeroCount(_filled[word]);
            if (Table.CountOf(age) != 0)
                return age;
            _filled[word] &= _filled[word] - 1;
        }
    }
}
