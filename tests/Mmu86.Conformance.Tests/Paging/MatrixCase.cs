using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>One sampled case: draws the entries, makes the access cold, warm, warm with other controls, and after invalidations.</summary>
internal sealed class MatrixCase(int number, MmuRig rig, WalkWorld world, Random random, MismatchLog log, OutcomeTally tally)
{
    private const ulong GuestFlagBits = PagingEntry.Accessed | PagingEntry.Dirty;

    private readonly EntrySampler _sampler = new(random);
    private readonly PageSize _guestSize = new EntrySampler(random).GuestPageSize(world.Mode, rig.Capabilities.HasPage1G);

    // The address accessed, with or without metadata; drawn anew with the controls.
    private LinearAddress _address = world.Address;

    // Whether a global translation may be cached, which some invalidations keep. The map entry may even be what reads as all ones.
    private bool _mayHoldGlobal;

    // With CR4.PSE=0 a PDE whose PS is set references a table.
    private PageSize MappedSize =>
        _guestSize == PageSize.Size4M && (rig.Mmu.Context.Cr4 & Cr4.PageSizeExtensions) == 0 ? PageSize.Size4K : _guestSize;

    private bool IsNested => world.Eptp != 0;

    public void Run()
    {
        for (int level = world.Levels; level >= 1; level--)
            DrawGuestEntry(level);
        for (int page = 0; IsNested && page < world.Pages; page++)
            DrawEptEntries(page);

        ulong eptp = IsNested && _sampler.Once(2) ? world.Eptp | (1UL << 6) : world.Eptp;
        PagingContext context = _sampler.Context(world, eptp);
        _address = _sampler.Address(world.Address);
        AccessKind kind = _sampler.Kind();
        AccessMode mode = _sampler.Mode();

        rig.Reset(context);
        Check("cold", kind, mode);
        Check("warm", kind, mode);

        // T20: WP, SMAP, AC and the privilege level act on what is cached too.
        rig.Mmu.SetContext(_sampler.Reconsider(context));
        _address = _sampler.Address(world.Address);
        kind = _sampler.Kind();
        mode = _sampler.Mode();
        Check("warm, another access", kind, mode);
        Check("warm, the same again", kind, mode);

        // A01, E09: what was dropped must be walked again, and sets the flags again.
        ClearFlags();
        Check($"flags cleared, {Invalidate()}", kind, mode);

        // After a change and the invalidation that it needs nothing of the old entries may show.
        bool changesEpt = IsNested && _sampler.Once(2);
        if (changesEpt)
            DrawEptEntries(random.Next(world.Pages));
        else
            DrawGuestEntry(random.Next(1, world.Pages));
        Check($"entry changed, {(changesEpt ? InvalidateEpt() : Invalidate())}", kind, mode);
        Check("entry changed, warm", kind, mode);
    }

    private void DrawGuestEntry(int level)
    {
        bool maps = level == PageTableBuilder.LevelOf(_guestSize);
        ulong flags = IsNested ? _sampler.LenientGuestFlags() : _sampler.GuestFlags(world.Mode);
        ulong pageSizeBit = maps && level > 1 ? PagingEntry.PageSizeBit : 0;
        world.WriteGuestEntry(level, world.GuestPointer(level, _guestSize) | flags | pageSizeBit);
    }

    private void DrawEptEntries(int page)
    {
        PageSize size = _sampler.EptPageSize(rig.Capabilities);
        int map = PageTableBuilder.LevelOf(size);
        for (int level = 4; level >= map; level--)
        {
            ulong pageSizeBit = level == map && level > 1 ? EptEntry.PageSizeBit : 0;
            ulong entry = world.EptPointer(page, level, size) | _sampler.EptFlags(level == map) | pageSizeBit;
            world.Memory.Write(world.EptEntryAddress(page, level), entry);
        }
    }

    private void ClearFlags()
    {
        for (int level = world.Levels; level >= 1; level--)
            world.WriteGuestEntry(level, Guest(level) & ~GuestFlagBits);
    }

    /// <summary>Drops what the current PCID holds for the address by any operation that the manual says does so.</summary>
    private string Invalidate()
    {
        ushort pcid = rig.Mmu.Context.Pcid;
        switch (random.Next(_mayHoldGlobal ? 3 : 6))
        {
            case 0:
                // T06: any address of the page.
                PageSize size = MappedSize;
                ulong within = (ulong)random.NextInt64((long)size.Bytes());
                rig.Mmu.InvalidatePage(new LinearAddress((world.Address.Value & ~size.OffsetMask()) | within));
                return "INVLPG";
            case 1:
                rig.Mmu.InvalidateAll();
                return "all";
            case 2:
                return IsNested ? InvalidateEpt() : InvalidateByVpid();
            case 3:
                rig.Mmu.InvalidatePage(world.Address, pcid);
                return "INVPCID address";
            case 4:
                rig.Mmu.InvalidatePcid(pcid);
                return "PCID";
            case 5:
                rig.Mmu.InvalidateAllNonGlobal();
                return "all but globals";
            default:
                throw new InvalidOperationException();
        }
    }

    private string InvalidateEpt()
    {
        // A drawn EPT entry may have been cached with flags that are now clear: only INVEPT reaches those.
        if (_sampler.Once(2))
        {
            rig.Mmu.InvalidateEptAll();
            return "INVEPT all";
        }

        rig.Mmu.InvalidateEptContext(rig.Mmu.Context.Eptp);
        return "INVEPT root";
    }

    private string InvalidateByVpid()
    {
        rig.Mmu.InvalidateVpid(rig.Mmu.Context.Vpid);
        return "VPID";
    }

    private ulong Guest(int level) => world.ReadGuestEntry(level);

    private void Check(string phase, AccessKind kind, AccessMode mode)
    {
        if (log.IsFull)
            return;
        ulong[] entries = [.. Enumerable.Range(1, world.Levels).Reverse().Select(Guest)];
        ulong[] ept = IsNested ? EptEntries() : [];
        ReferenceWalk walk = rig.Expect(new ReferenceAccess(_address, kind, mode));
        tally.Add(walk);
        _mayHoldGlobal |= walk.Translation is not null
            && (walk.References.Last(step => step.Dimension == WalkDimension.Guest).Value & PagingEntry.Global) != 0;
        if (rig.Judge(walk) is not { } mismatch)
            return;

        PagingContext context = rig.Mmu.Context;
        string inputs = $"seed {TestSeed.Base} case {number} on {rig.Name}, {phase}: {mode} {kind} {_address} "
            + $"[{context.Cr0 & Cr0.WriteProtect}, {context.Cr4}, {context.Efer}, CR3 0x{context.Cr3:x}, EPTP 0x{context.Eptp:x}, "
            + $"PKRU 0x{context.Pkru:x}, PKRS 0x{context.Pkrs:x}, {context.Pdptes}] entries {Hex(entries)}";
        if (IsNested)
        {
            for (int page = world.Levels; page >= WalkWorld.FinalPage; page--)
                inputs += $"\n    EPT of {(page == WalkWorld.FinalPage ? "final" : $"table {page}")} {world.GuestPage(page)}: {Hex(ept.AsSpan(page * 4, 4))}";
        }

        log.Add(inputs, mismatch.Expected, mismatch.Got);
    }

    private ulong[] EptEntries()
    {
        var entries = new ulong[4 * world.Pages];
        for (int page = 0; page < world.Pages; page++)
        {
            for (int level = 4; level >= 1; level--)
                entries[(page * 4) + 4 - level] = world.Memory.Read<ulong>(world.EptEntryAddress(page, level));
        }

        return entries;
    }

    private static string Hex(ReadOnlySpan<ulong> entries)
    {
        string text = "";
        foreach (ulong entry in entries)
            text += $" {entry:x16}";
        return text;
    }
}
