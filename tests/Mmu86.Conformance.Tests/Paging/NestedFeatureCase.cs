using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>One sampled case of everything that the second dimension has: controls, capabilities, five levels, both formats.</summary>
internal sealed class NestedFeatureCase(int number, MmuRig rig, NestedFeatureWorld world, Random random, MismatchLog log, OutcomeTally tally)
{
    private static readonly ushort[] s_logIndices = [511, 3, 1, 0, 0xFFFF, 512, 511, 300];

    private readonly EntrySampler _sampler = new(random);
    private readonly PageSize _guestSize = new EntrySampler(random).PageSize(rig.Capabilities.HasPage1G);
    private readonly bool _hasSubPages = random.Next(3) == 0;
    private readonly bool _isModeBased = random.Next(2) == 0;

    private readonly PageSize _hlatSize = new EntrySampler(random).PageSize(rig.Capabilities.HasPage1G);
    private readonly bool _hasHlat = random.Next(3) == 0;
    private readonly bool _isPagingWrite = random.Next(2) == 0;
    private readonly bool _isVerifying = random.Next(2) == 0;

    private bool IsNpt => rig.Capabilities.HasNpt;

    public void Run()
    {
        for (int level = 4; level >= 1; level--)
            DrawGuestEntry(level);
        for (int level = 4; level >= 1; level--)
            DrawHlat(level);
        for (int page = 0; page < 5; page++)
            DrawNestedEntries(page);
        for (int level = 4; level >= 1; level--)
            DrawSubPages(level);
        world.WriteFifth(Flags(mapsPage: false));

        PagingContext context = _sampler.Context(world.Walk, Root()) with { Vpid = 1, Nested = IsNpt ? null : Controls() };
        if (_sampler.Once(8))
        {
            // E21, E16: without paging the linear address is the guest-physical one, and is a user-mode address.
            context = context with { Cr0 = context.Cr0 & ~(Cr0.Paging | Cr0.WriteProtect), Efer = context.Efer & ~Efer.LongModeActive };
            world.MapWithoutPaging();
        }

        rig.Reset(context);
        AccessKind kind = Kind();
        AccessMode mode = _sampler.Mode();
        Check("cold", kind, mode);
        Check("warm", kind, mode);
        kind = Kind();
        mode = _sampler.Mode();
        Check("warm, another access", kind, mode);
        Check("warm, the same again", kind, mode);

        DrawNestedEntries(random.Next(5));
        if (!context.IsPaging)
            world.MapWithoutPaging();
        Check($"entry changed, {Invalidate()}", kind, mode);
        Check("entry changed, warm", kind, mode);
    }

    // More writes than the matrix of rights has: most of what is new here is about writes.
    private AccessKind Kind() => _sampler.Once(3) ? AccessKind.Write : _sampler.Kind();

    private ulong Root()
    {
        bool isFive = _sampler.Once(3);
        ulong table = isFive ? world.FiveLevelRoot : world.FourLevelRoot;
        ulong levels = isFive ? EptPointer.FiveLevels : EptPointer.FourLevels;
        if (!IsNpt)
            return table | levels | EptPointer.WriteBack | (_sampler.Once(3) ? 0 : EptPointer.AccessedAndDirty);
        return table | levels | NptPointer.On
            | (_sampler.Once(5) ? 0 : NptPointer.NoExecute)
            | (_sampler.Once(2) ? NptPointer.Smep : 0)
            | (_sampler.Once(3) ? NptPointer.GuestModeExecuteTrap : 0)
            | (_sampler.Once(3) ? NptPointer.ReadOnlyGuestTables : 0);
    }

    private NestedControls? Controls() => _sampler.Once(10) && !_isModeBased && !_hasSubPages && !_isPagingWrite && !_hasHlat ? null : new NestedControls
    {
        ModeBasedExecute = _isModeBased,
        PageModificationLog = _sampler.Once(2) ? NestedFeatureWorld.Log : null,
        PageModificationIndex = s_logIndices[random.Next(s_logIndices.Length)],
        VirtualizationExceptionArea = _sampler.Once(2) ? NestedFeatureWorld.ExceptionArea : null,
        PagingWrite = _isPagingWrite,
        GuestPagingVerification = _isVerifying,
        HlatPointer = _hasHlat ? world.HlatPointer : null,
        HlatPrefixSize = (byte)(_sampler.Once(4) ? 1 : 0),
        SubPagePermissionTable = _hasSubPages ? NestedFeatureWorld.SubPages : null,
    };

    private void DrawGuestEntry(int level)
    {
        bool maps = level == PageTableBuilder.LevelOf(_guestSize);
        ulong pageSizeBit = maps && level > 1 ? PagingEntry.PageSizeBit : 0;
        world.Walk.WriteGuestEntry(level, world.Walk.GuestPointer(level, _guestSize) | _sampler.LenientGuestFlags() | pageSizeBit);
    }

    private void DrawHlat(int level)
    {
        ulong flags = _sampler.LenientGuestFlags() | (level == PageTableBuilder.LevelOf(_hlatSize) && level > 1 ? PagingEntry.PageSizeBit : 0);
        if (_sampler.Once(6))
            flags |= PagingEntry.Restart;
        if (_sampler.Once(25))
            flags |= 1UL << 51;
        world.WriteHlat(level, _hlatSize, _sampler.Once(25) ? flags & ~PagingEntry.Present : flags);
    }

    private void DrawNestedEntries(int page)
    {
        PageSize size = _sampler.EptPageSize(rig.Capabilities);
        int map = PageTableBuilder.LevelOf(size);
        for (int level = 4; level >= map; level--)
        {
            ulong pageSizeBit = level == map && level > 1 ? EptEntry.PageSizeBit : 0;
            ulong flags = Flags(level == map);
            if (_hasSubPages && !IsNpt && page == WalkWorld.FinalPage && level == 1 && !_sampler.Once(3))
                flags = (flags | EptEntry.SubPageWrite) & ~EptEntry.Write;
            world.Memory.Write(world.Walk.EptEntryAddress(page, level), world.Walk.EptPointer(page, level, size) | flags | pageSizeBit);
        }
    }

    private ulong Flags(bool mapsPage)
    {
        if (IsNpt)
            return _sampler.NptFlags(mapsPage);
        ulong flags = _sampler.EptFlags(mapsPage);
        if (_isModeBased && _sampler.Once(12))
            flags ^= EptEntry.UserExecute;
        else if (_isModeBased)
            flags |= EptEntry.UserExecute;
        if (_isPagingWrite && !_sampler.Once(12))
            flags = (flags | EptEntry.PagingWriteAccess) & ~(mapsPage && _sampler.Once(6) ? EptEntry.Write : 0);
        if (_isVerifying && mapsPage && _sampler.Once(4))
            flags |= EptEntry.VerifyGuestPaging;
        return _sampler.Once(3) ? flags | EptEntry.SuppressVirtualizationException : flags & ~EptEntry.SuppressVirtualizationException;
    }

    private void DrawSubPages(int level)
    {
        ulong flags = level > 1 ? 1 : (ulong)random.NextInt64() & 0x5555_5555_5555_5555;
        if (_sampler.Once(30))
            flags ^= 1;
        if (_sampler.Once(30))
            flags |= 1UL << random.Next(64);
        world.WriteSubPages(level, flags);
    }

    // What must be gone after a changed nested entry: guest-physical and combined mappings of this root, or of this ASID.
    private string Invalidate()
    {
        if (IsNpt)
        {
            byte control = _sampler.Once(2) ? (byte)3 : (byte)1;
            rig.Mmu.TryApplyTlbControl(control);
            return $"TLB_CONTROL {control}";
        }

        bool isAll = _sampler.Once(2);
        VmInstructionError error = rig.Mmu.Invept(isAll ? 2UL : 1UL, rig.Mmu.Context.Eptp);
        return error == VmInstructionError.None ? $"INVEPT {(isAll ? 2 : 1)}" : throw new InvalidOperationException("INVEPT was refused");
    }

    private void Check(string phase, AccessKind kind, AccessMode mode)
    {
        if (log.IsFull)
            return;
        ReferenceWalk walk = rig.Expect(new ReferenceAccess(world.Walk.Address, kind, mode));
        tally.Add(walk);
        ushort index = rig.Mmu.Context.Nested?.PageModificationIndex ?? 0;
        if (rig.Judge(walk) is not { } mismatch)
            return;

        PagingContext context = rig.Mmu.Context;
        string inputs = $"seed {TestSeed.Base} case {number} on {rig.Name}, {phase}: {mode} {kind} "
            + $"[{context.Cr0 & (Cr0.WriteProtect | Cr0.Paging)}, {context.Cr4}, {context.Efer}, EPTP 0x{context.Eptp:x}, "
            + $"MBE {context.Nested?.ModeBasedExecute}, log {context.Nested?.PageModificationLog} at {index}, #VE {context.Nested?.VirtualizationExceptionArea}, HLATP {context.Nested?.HlatPointer:x}/{context.Nested?.HlatPrefixSize}, PW {context.Nested?.PagingWrite}, VGP {context.Nested?.GuestPagingVerification}, SPP {context.Nested?.SubPagePermissionTable}]\n    "
            + string.Join("\n    ", walk.References);
        log.Add(inputs, mismatch.Expected, mismatch.Got);
    }
}
