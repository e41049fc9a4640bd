using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The memory-management unit of one virtual CPU, as the CPU sees it. Slow side: the filter answers the hot path.</summary>
public interface IMmu
{
    /// <summary>The shortcut that the hot path reads. Its address is stable for the life of the MMU.</summary>
    TranslationFilter Filter { get; }

    /// <summary>The context in force.</summary>
    PagingContext Context { get; }

    /// <summary>Why the last translation failed.</summary>
    TranslationFault Fault { get; }

    /// <summary>On whose behalf the access was made that ended in <see cref="Fault"/>. Only right behind it.</summary>
    AccessMode FaultMode { get; }

    /// <summary>What the slow side counted. Hits that the filter answered are not in it: a report takes <see cref="Snapshot"/>.</summary>
    MmuStatistics Statistics { get; }

    /// <summary>What the clock of the fidelity <c>tlb</c> follows, cheap enough to be read at any instruction.</summary>
    TranslationWork Work { get; }

    /// <summary>Everything counted so far, the hits included that the filter answered.</summary>
    /// <param name="dataLookups">Data lookups that the CPU made: one for each page an access touches, answered by the filter or by
    /// <see cref="TryTranslate"/>. An attempt at a non-canonical address is none.</param>
    /// <param name="fetchLookups">Lookups for fetches, counted likewise.</param>
    MmuStatistics Snapshot(ulong dataLookups, ulong fetchLookups);

    /// <summary>Whether <see cref="Attribute"/> would let the filter serve better. Never a matter of correctness.</summary>
    bool AttributionIsDue { get; }

    /// <summary>Attributes the data hits that the filter answered to the page size that it served, and chooses which it serves from now on.</summary>
    /// <param name="dataLookups">As for <see cref="Snapshot"/>, exact at this moment: between two instructions.</param>
    void Attribute(ulong dataLookups);

    /// <summary>Tells what <see cref="TryTranslate"/> would do now, to the last reference, and leaves no trace.</summary>
    /// <returns>What an observer would be told of the access.</returns>
    WalkTrace Inspect(LinearAddress address, AccessKind kind, AccessMode mode);

    /// <summary>Walks through what is in memory, whatever TLBs and structure caches hold, and leaves no trace.</summary>
    /// <returns>Every entry on the way, with the flags that such a walk would set; no hit of a TLB.</returns>
    WalkTrace ReadTables(LinearAddress address, AccessKind kind, AccessMode mode);

    /// <summary>Finds an address by what is in memory, as <see cref="ReadTables"/>, and tells nothing of the way.</summary>
    /// <param name="address">Any address.</param>
    /// <param name="kind">What the access would do.</param>
    /// <param name="mode">On whose behalf.</param>
    /// <param name="host">Where it lies; default where the result is false.</param>
    /// <param name="fault">Why it could not be found; default where it was.</param>
    bool TryFindInTables(LinearAddress address, AccessKind kind, AccessMode mode, out HostPhysicalAddress host, out TranslationFault fault);

    /// <summary>Counts up whenever an entry of the first-level instruction TLB was evicted or invalidated: running code must look up again.</summary>
    ulong InstructionSideChanges { get; }

    /// <summary>Puts a context in force and empties the filter. Invalidates no TLB entry: that is the caller's, by the methods below.</summary>
    void SetContext(in PagingContext context);

    /// <summary>Reads the four entries that CR3 points to in PAE paging, through EPT where it is on, and judges them. Changes no context.</summary>
    /// <param name="cr3">Bits 31:5 are the address of the table.</param>
    /// <param name="registers">What was read; default where the result is <see cref="PdpteLoad.Refused"/>.</param>
    /// <remarks>No walk: nothing is counted, no accessed flag of the guest is set. SDM 3, "PDPTE Registers" and "Loading PDPTEs".</remarks>
    PdpteLoad LoadPdptes(ulong cr3, out PdpteRegisters registers);

    /// <summary>Tells the reads that <see cref="LoadPdptes"/> would make, those of EPT and the four entries, with the types of the memory read. Leaves no trace.</summary>
    /// <param name="cr3">As there.</param>
    /// <returns>The reads in order; none with AMD's nested paging, and none of the four where EPT refuses.</returns>
    IReadOnlyList<WalkReference> InspectPdptes(ulong cr3);

    /// <summary>Whether an access may use a linear address at all: canonical form, address masking, address-space separation.</summary>
    /// <param name="address">The address of a byte accessed, metadata included.</param>
    /// <param name="kind">What the access does.</param>
    /// <param name="mode">On whose behalf.</param>
    /// <returns>False where it is #GP(0), or #SS(0) for a stack reference. Outside IA-32e mode addresses have 32 bits; the CPU sees to that.</returns>
    bool IsCanonical(LinearAddress address, AccessKind kind, AccessMode mode);

    /// <summary>Translates one address: one modelled lookup, and where it misses a fill and perhaps a walk.</summary>
    /// <param name="address">Any address; the bytes accessed must not cross its 4 KiB page.</param>
    /// <param name="kind">Read, write (also read-modify-write) or fetch.</param>
    /// <param name="mode">On whose behalf.</param>
    /// <param name="translation">The answer; default where the result is false.</param>
    /// <returns>False where it faulted: see <see cref="Fault"/>. Accessed flags of entries used above may have been set.</returns>
    bool TryTranslate(LinearAddress address, AccessKind kind, AccessMode mode, out Translation translation);

    /// <summary>Answers again a data access that was just made, where making it again would change nothing: a first-level hit.</summary>
    /// <remarks>
    /// For two accesses made in turn (a, b, a, b, ...) too: touching an entry is idempotent and the last touch decides, so when both
    /// are resident behind the first pair, every further pair leaves the model as the first did. Where a policy does not have it so, both are
    /// the most recent of their sets or one of them is refused. Nothing is counted.
    /// </remarks>
    /// <param name="address">Any address in the 4 KiB page of the access just made.</param>
    /// <param name="kind">Read or write.</param>
    /// <param name="mode">On whose behalf.</param>
    /// <param name="translation">The answer; default where the result is false.</param>
    /// <returns>False where the access must be made: the machine looks up every access, or the entry is not there any more.</returns>
    bool TryRepeat(LinearAddress address, AccessKind kind, AccessMode mode, out Translation translation);

    /// <summary>Counts lookups that were not made because <see cref="TryRepeat"/> said that they change nothing.</summary>
    /// <param name="address">As there.</param>
    /// <param name="times">How many.</param>
    void CountRepeated(LinearAddress address, ulong times);

    /// <summary>The CPU will fetch from a page without a lookup for each instruction: from now on such fetches are of that page's entry size.</summary>
    /// <param name="page">Any address in the page, whose fetch translation was just made.</param>
    /// <param name="fetchLookups">Fetch lookups made so far, exactly, the one just made included.</param>
    void EnterCodePage(LinearAddress page, ulong fetchLookups);

    /// <summary>Offers the fetch translation just made to the filter. Ignored where the machine demands a lookup for every fetch.</summary>
    /// <param name="page">The first address of the 4 KiB page.</param>
    /// <param name="mode">User or supervisor.</param>
    /// <param name="payload">What the filter answers for the page.</param>
    void OfferFetch(LinearAddress page, AccessMode mode, nint payload);

    /// <summary>Whether fetches within one page need no lookup each: false for machines without a first-level TLB and under observation.</summary>
    bool FetchesAreSilent { get; }

    /// <summary>Code was decoded from a frame: no write slot may lead to it any more.</summary>
    void RevokeWrites(HostFrameNumber frame);

    /// <summary>INVLPG. SDM 3, "Operations that Invalidate TLBs and Paging-Structure Caches". A non-canonical address is a no-op.</summary>
    void InvalidatePage(LinearAddress address);

    /// <summary>INVPCID type 0: one address in one PCID; globals stay.</summary>
    void InvalidatePage(LinearAddress address, ushort pcid);

    /// <summary>MOV CR3 without the keep hint, INVPCID type 1: everything of one PCID but globals.</summary>
    void InvalidatePcid(ushort pcid);

    /// <summary>INVPCID type 3: everything but globals, all PCIDs.</summary>
    void InvalidateAllNonGlobal();

    /// <summary>INVPCID type 2, a change of CR4.PGE and so on: everything of the current VPID, globals too.</summary>
    void InvalidateAll();

    /// <summary>#PF was delivered for this address. SDM 3: drops its TLB entries under the current PCID and the structure-cache entries that serve it.</summary>
    void InvalidateAfterPageFault(LinearAddress address);

    /// <summary>INVEPT type 1: guest-physical and combined mappings of one EPT root.</summary>
    void InvalidateEptContext(ulong eptp);

    /// <summary>INVEPT type 2: guest-physical and combined mappings of every root.</summary>
    void InvalidateEptAll();

    /// <summary>INVVPID type 1: linear and combined mappings of one VPID.</summary>
    void InvalidateVpid(ushort vpid);

    /// <summary>Whether VM entry, INVEPT and EPTP switching accept an EPT pointer on this machine.</summary>
    bool AcceptsEptPointer(ulong eptp);

    /// <summary>INVEPT. SDM 3, "INVEPT".</summary>
    /// <param name="type">1: the mappings of one root. 2: those of all. Guest-physical and combined ones.</param>
    /// <param name="eptp">The EPT pointer of the descriptor, for type 1.</param>
    /// <returns>VMfail for another type, and for a pointer that VM entry would refuse.</returns>
    VmInstructionError Invept(ulong type, ulong eptp);

    /// <summary>INVVPID. SDM 3, "INVVPID". Linear and combined mappings, of every PCID and root.</summary>
    /// <param name="type">0: one address of a VPID. 1: a VPID. 2: every VPID but 0. 3: a VPID, global translations excepted.</param>
    /// <param name="descriptor">VPID in bits 15:0, linear address in bits 127:64.</param>
    /// <returns>VMfail for another type, reserved bits, VPID 0 (types 0, 1, 3), a non-canonical address (type 0).</returns>
    VmInstructionError Invvpid(ulong type, UInt128 descriptor);

    /// <summary>What VMRUN does for TLB_CONTROL under the ASID in force. APM 2, "TLB Flush".</summary>
    /// <param name="control">0: nothing. 1: every ASID. 3: this ASID. 7: this ASID's non-global translations. Nested translations of the ASID go too.</param>
    /// <returns>False for any other value, which is reserved.</returns>
    bool TryApplyTlbControl(byte control);

    /// <summary>INVLPGA: one address of one ASID. A non-canonical address is a no-op.</summary>
    void InvalidatePageOfAsid(LinearAddress address, ushort asid);
}
