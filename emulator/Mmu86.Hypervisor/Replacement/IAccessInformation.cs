using System.Numerics;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>What hardware shows of the use of frames, as a policy may ask for it. The owner of the nested tables implements it.</summary>
/// <remarks>Where one large page maps many frames, they share its flags. Only frames that are resident are asked about.
/// An answer must not call the policy back: its lists are in the middle of a change.</remarks>
public interface IAccessInformation
{
    /// <summary>Tells whether a frame's entry has its accessed flag set, and clears it.</summary>
    /// <remarks>
    /// A flag that was set and is cleared must be followed by an invalidation, or cached translations keep the next access from setting it again.
    /// The implementer makes that invalidation and charges it. SDM 3, "Accessed and Dirty Flags for EPT".
    /// </remarks>
    bool TestAndClearAccessed(GuestFrameNumber frame);

    /// <summary>The same for frames beside each other. Their entries are in one table, so an owner of tables searches for it once.</summary>
    /// <param name="first">The first of them, a multiple of 64.</param>
    /// <param name="frames">A bit for each frame that is asked about, that of <paramref name="first"/> lowest.</param>
    /// <returns>A bit for each of these whose flag was set.</returns>
    ulong TestAndClearAccessed(GuestFrameNumber first, ulong frames)
    {
        ulong used = 0;
        for (; frames != 0; frames &= frames - 1)
        {
            int place = BitOperations.TrailingZeroCount(frames);
            used |= TestAndClearAccessed(new GuestFrameNumber(first.Value + (ulong)place)) ? 1UL << place : 0;
        }

        return used;
    }

    /// <summary>Tells whether a frame differs from its copy in swap, or has none: whether evicting it needs a write.</summary>
    bool IsDirty(GuestFrameNumber frame);

    /// <summary>Starts to write a dirty frame to swap, without evicting it. Once that is done it is clean until it is stored to again.</summary>
    /// <remarks>A request: where too many writes are under way, or this one is, nothing happens.</remarks>
    void StartCleaning(GuestFrameNumber frame);
}
