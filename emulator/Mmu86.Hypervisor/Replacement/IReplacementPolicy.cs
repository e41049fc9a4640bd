using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>Decides which resident frame gives way. It hears what becomes of frames, and sees of their use only what hardware shows.</summary>
/// <remarks>
/// <para>Order of a fault with no free frame: <see cref="TryChooseVictim"/>, <see cref="Removed"/> of the victim (or of any other frame that the owner
/// rather gives up), <see cref="Inserted"/> of the frame that faulted. Frames may be inserted while there are free ones without a decision. For a
/// batch, each victim is removed as it is chosen; one that swap then refuses comes back as an insertion at distance 0.</para>
/// <para>Deterministic: the same calls with the same answers give the same decisions. Not for several threads. Frames come in pages of 4 KiB; an owner
/// splits a large page before parts of it are reclaimed. Once the most frames have been resident, nothing is allocated for those that were known before.</para>
/// <para>Calls that contradict the books (a frame inserted twice, one removed that is not there) are an error of the caller:
/// <see cref="InvalidOperationException"/>.</para>
/// </remarks>
public interface IReplacementPolicy
{
    /// <summary>The policy's name in the catalogue.</summary>
    string Name { get; }

    /// <summary>Resident frames, pinned ones among them.</summary>
    int Count { get; }

    /// <summary>Resident frames that are pinned.</summary>
    int PinnedCount { get; }

    /// <summary>Evicted frames that the policy remembers.</summary>
    int GhostCount { get; }

    /// <summary>Virtual nanoseconds at the last <see cref="Tick"/>; 0 where there was none.</summary>
    ulong Now { get; }

    /// <summary>Whether a frame is resident.</summary>
    bool IsResident(GuestFrameNumber frame);

    /// <summary>A frame became resident.</summary>
    void Inserted(GuestFrameNumber frame, Insertion how);

    /// <summary>A frame is no longer resident. A pinned frame can be discarded, not evicted.</summary>
    void Removed(GuestFrameNumber frame, Removal how);

    /// <summary>A resident frame is not to be chosen from now on: a device reaches it, or it is on its way to or from swap.</summary>
    void Pin(GuestFrameNumber frame);

    /// <summary>A pinned frame may be chosen again. It counts as just used.</summary>
    void Unpin(GuestFrameNumber frame);

    /// <summary>Chooses the frame that should give way. It stays resident until <see cref="Removed"/> is called.</summary>
    /// <param name="access">What hardware shows.</param>
    /// <param name="incoming">The frame whose fault is served, or null where frames are reclaimed ahead of need.</param>
    /// <param name="victim">The frame, where there is one.</param>
    /// <returns>False where every resident frame is pinned, or none is resident.</returns>
    bool TryChooseVictim(IAccessInformation access, GuestFrameNumber? incoming, out GuestFrameNumber victim);

    /// <summary>Virtual time has passed: policies that scan accessed flags do their share. Costs are bounded by the time that passed.</summary>
    /// <param name="access">What hardware shows.</param>
    /// <param name="virtualNanoseconds">The time now; never less than before.</param>
    void Tick(IAccessInformation access, ulong virtualNanoseconds);

    /// <summary>Writes the books: a policy of equal options that reads them decides from then on as this one.</summary>
    /// <exception cref="NotSupportedException">The policy knows a future, and runs on no host.</exception>
    void Save(StateWriter writer);

    /// <summary>Reads them back in place of what is known.</summary>
    /// <exception cref="StateFormatException">They are another policy's, or broken. This one is to be thrown away.</exception>
    void Load(StateReader reader);

    /// <summary>Throws where the policy's books disagree with themselves. Takes time by the number of frames known: for tests and soaks.</summary>
    /// <exception cref="InvalidOperationException">They disagree; the message says where.</exception>
    void Verify();
}
