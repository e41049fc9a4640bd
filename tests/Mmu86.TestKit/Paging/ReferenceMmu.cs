using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>An MMU without caches that does what the reference walker says: a peer for differential runs, and a known good for tests of tests.</summary>
public sealed class ReferenceMmu(HostMemory memory, ReferenceCapabilities capabilities) : IMmu, IDisposable
{
    private readonly HostReferenceMemory _reference = new(memory);

    /// <summary>What the MMU makes of the context it is given; nothing unless a test wants an MMU with a fault.</summary>
    public Func<PagingContext, PagingContext> Forgets { get; init; } = context => context;

    /// <inheritdoc/>
    public TranslationFilter Filter { get; } = new(TranslationFilter.FewestSlots);

    /// <inheritdoc/>
    public PagingContext Context { get; private set; }

    /// <inheritdoc/>
    public TranslationFault Fault { get; private set; }

    /// <inheritdoc/>
    public AccessMode FaultMode { get; private set; }

    /// <inheritdoc/>
    public MmuStatistics Statistics => throw new NotSupportedException("The reference MMU counts nothing.");

    /// <inheritdoc/>
    public TranslationWork Work => throw new NotSupportedException("The reference MMU counts nothing.");

    /// <inheritdoc/>
    public bool AttributionIsDue => false;

    /// <inheritdoc/>
    public ulong InstructionSideChanges { get; private set; }

    /// <inheritdoc/>
    public bool FetchesAreSilent => false;

    /// <inheritdoc/>
    public void SetContext(in PagingContext context) => Context = context;

    /// <inheritdoc/>
    public PdpteLoad LoadPdptes(ulong cr3, out PdpteRegisters registers) => throw new NotSupportedException("The reference MMU is given its PDPTE registers.");

    /// <inheritdoc/>
    public IReadOnlyList<WalkReference> InspectPdptes(ulong cr3) => throw new NotSupportedException("The reference MMU is given its PDPTE registers.");

    /// <inheritdoc/>
    public bool IsCanonical(LinearAddress address, AccessKind kind, AccessMode mode) =>
        Context.Mode < GuestPagingMode.FourLevel ? address.Value <= uint.MaxValue : ReferenceLinearAddress.MayBeUsed(Context, new ReferenceAccess(address, kind, mode));

    /// <inheritdoc/>
    public bool TryTranslate(LinearAddress address, AccessKind kind, AccessMode mode, out Translation translation)
    {
        ReferenceWalk walk = new ReferenceWalker(_reference, capabilities, Forgets(Context)).Walk(new ReferenceAccess(address, kind, mode));
        InstructionSideChanges++;
        if (walk.Fault is { } fault)
        {
            Fault = fault;
            FaultMode = mode;
            translation = default;
            return false;
        }

        foreach ((ulong entry, EntryFlags flags) in walk.Flags)
            memory.Write(new HostPhysicalAddress(entry), memory.Read<ulong>(new HostPhysicalAddress(entry)) | flags.Must);
        ReferenceTranslation found = walk.Translation!.Value;
        translation = new Translation(found.Address, found.EntryPageSize ?? PageSize.Size4K, memory.IsRam(found.Address));
        return true;
    }

    /// <inheritdoc/>
    /// <remarks>Never: every access is walked.</remarks>
    public bool TryRepeat(LinearAddress address, AccessKind kind, AccessMode mode, out Translation translation)
    {
        translation = default;
        return false;
    }

    /// <inheritdoc/>
    public void CountRepeated(LinearAddress address, ulong times)
    {
    }

    /// <inheritdoc/>
    public WalkTrace Inspect(LinearAddress address, AccessKind kind, AccessMode mode)
    {
        ReferenceWalk walk = new ReferenceWalker(_reference, capabilities, Forgets(Context)).Walk(new ReferenceAccess(address, kind, mode));
        return new WalkTrace
        {
            Linear = address,
            Kind = kind,
            Mode = mode,
            Hit = TranslationHit.None,
            Reason = WalkReason.Miss,
            References = [.. walk.References.Select(step => Tell(step, walk))],
            GuestPageSize = walk.Translation?.GuestPageSize,
            HostPageSize = walk.Translation?.EptPageSize,
            EntryPageSize = walk.Translation?.EntryPageSize,
            GuestPhysical = walk.Translation?.GuestPhysical,
            HostPhysical = walk.Translation?.Address,
            Fault = walk.Fault,
        };
    }

    /// <inheritdoc/>
    /// <remarks>There are no caches: what an access does is what the tables say.</remarks>
    public WalkTrace ReadTables(LinearAddress address, AccessKind kind, AccessMode mode) => Inspect(address, kind, mode);

    /// <inheritdoc/>
    public bool TryFindInTables(LinearAddress address, AccessKind kind, AccessMode mode, out HostPhysicalAddress host, out TranslationFault fault)
    {
        WalkTrace trace = Inspect(address, kind, mode);
        host = trace.HostPhysical ?? default;
        fault = trace.Fault ?? default;
        return trace.HostPhysical is not null;
    }

    /// <inheritdoc/>
    public MmuStatistics Snapshot(ulong dataLookups, ulong fetchLookups) => Statistics;

    /// <inheritdoc/>
    public void Attribute(ulong dataLookups)
    {
    }

    /// <inheritdoc/>
    public void EnterCodePage(LinearAddress page, ulong fetchLookups)
    {
    }

    /// <inheritdoc/>
    public void OfferFetch(LinearAddress page, AccessMode mode, nint payload)
    {
    }

    /// <inheritdoc/>
    public void RevokeWrites(HostFrameNumber frame)
    {
    }

    /// <inheritdoc/>
    public void InvalidatePage(LinearAddress address)
    {
    }

    /// <inheritdoc/>
    public void InvalidatePage(LinearAddress address, ushort pcid)
    {
    }

    /// <inheritdoc/>
    public void InvalidatePcid(ushort pcid)
    {
    }

    /// <inheritdoc/>
    public void InvalidateAllNonGlobal()
    {
    }

    /// <inheritdoc/>
    public void InvalidateAll()
    {
    }

    /// <inheritdoc/>
    public void InvalidateAfterPageFault(LinearAddress address)
    {
    }

    /// <inheritdoc/>
    public void InvalidateEptContext(ulong eptp)
    {
    }

    /// <inheritdoc/>
    public void InvalidateEptAll()
    {
    }

    /// <inheritdoc/>
    public void InvalidateVpid(ushort vpid)
    {
    }

    /// <inheritdoc/>
    public bool AcceptsEptPointer(ulong eptp) => throw new NotSupportedException("The reference MMU checks no EPT pointer.");

    /// <inheritdoc/>
    public VmInstructionError Invept(ulong type, ulong eptp) => VmInstructionError.None;

    /// <inheritdoc/>
    public VmInstructionError Invvpid(ulong type, UInt128 descriptor) => VmInstructionError.None;

    /// <inheritdoc/>
    public bool TryApplyTlbControl(byte control) => true;

    /// <inheritdoc/>
    public void InvalidatePageOfAsid(LinearAddress address, ushort asid)
    {
    }

    /// <inheritdoc/>
    public void Dispose() => Filter.Dispose();

    private static WalkReference Tell(ReferenceStep step, ReferenceWalk walk) => new()
    {
        Dimension = step.Dimension,
        Level = step.Level,
        Entry = step.Address,
        GuestEntry = null,
        Before = step.Value,
        After = step.Value | walk.Flags.GetValueOrDefault(step.Address.Value).Must,
        Source = WalkSource.Memory,
    };
}
