using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <content>What the registers of system programming put in force: the context of paging, the mode of code and of accesses.</content>
public sealed unsafe partial class Vcpu
{
    private CodeMode _mode = new((byte)ProcessorMode.Real);

    /// <summary>Puts CR0, CR3, CR4, EFER, the PDPTE registers, PKRU and IA32_PKRS in force in the MMU. Invalidations that the manual demands are the caller's.</summary>
    /// <param name="eptp">The EPT pointer, 0 for native paging.</param>
    /// <param name="vpid">The VPID, 0 for native paging.</param>
    public void ContextChanged(ulong eptp, ushort vpid) => ContextChanged(eptp, vpid, Mmu.Context.Nested);

    /// <summary>As <see cref="ContextChanged(ulong, ushort)"/>, with other controls of nested paging: a VM entry.</summary>
    public void ContextChanged(ulong eptp, ushort vpid, NestedControls? nested)
    {
        PagingContext context = GuestContext(eptp, vpid, nested);
        Mmu.SetContext(_shadow is { } shadow ? shadow.InPlaceOf(context) : context);
        _s->LinearAddressBits = Canonical.Width(System.Cr4);
        ModeChanged();
    }

    /// <summary>The context that the guest's registers describe, with a second dimension of someone's choice.</summary>
    public PagingContext GuestContext(ulong eptp, ushort vpid, NestedControls? nested) => new()
    {
        Cr0 = System.Cr0,
        Cr3 = System.Cr3,
        Cr4 = System.Cr4,
        Efer = System.Efer,
        Eptp = eptp,
        Vpid = vpid,
        Nested = nested,
        Pdptes = System.Pdptes,
        Pkru = System.Pkru,
        Pkrs = System.Pkrs,
        Pat = System.Pat,
        MemoryTypes = System.MemoryTypeRanges,
    };

    /// <summary>As <see cref="ContextChanged(ulong, ushort)"/>, keeping EPT as it is.</summary>
    public void ContextChanged() => ContextChanged(Mmu.Context.Eptp, Mmu.Context.Vpid);

    /// <summary>
    /// CPL, RFLAGS.AC or RFLAGS.VM, CR0.PE, IA32_EFER.LMA a segment register or a debug register changed: selects the banks of the filter, the
    /// mode of code and the windows of the segments. In 64-bit mode loads of DS, ES, FS and GS need not tell.
    /// </summary>
    public void ModeChanged()
    {
        bool checksAlignment = System.Cpl == 3 && (System.Cr0 & Cr0.AlignmentMask) != 0
            && (_s->SystemFlags & (ulong)RFlags.AlignmentCheck) != 0;
        Breakpoints.Refresh();
        Data.Checks = (checksAlignment ? AccessChecks.Alignment : AccessChecks.None)
            | (Breakpoints.WatchesData ? AccessChecks.Breakpoints : AccessChecks.None);
        AccessMode mode = ModeAt(System.Cpl);
        Data.Mode = mode;
        _s->ReadSlots = (Data.Checks == AccessChecks.None ? _filter : _emptyFilter).DataTable(mode);
        _s->WriteSlots = _s->ReadSlots + _filter.Slots;
        _s->FetchSlots = _filter.FetchTable(mode);
        var codeMode = CodeMode.Of(System, (RFlags)_s->SystemFlags);
        if (!codeMode.IsLong64 || _mode != codeMode)
            SegmentsChanged(codeMode);
    }

    // Recomputes what accesses outside 64-bit mode read of segment registers.
    private void SegmentsChanged(CodeMode mode)
    {
        ProcessorMode processor = mode.Processor;
        bool isLong = mode.IsLong64;
        _s->AbsentAddressBits = isLong ? 0 : ~(ulong)uint.MaxValue;
        _s->StackMask = isLong ? ulong.MaxValue : mode.HasStack32 ? uint.MaxValue : ushort.MaxValue;
        _s->Segments[SegmentWindows.Es] = isLong ? SegmentWindow.Long64(0) : SegmentWindow.Of(System.Es, System.Es.Base, processor);
        _s->Segments[SegmentWindows.Cs] = isLong ? SegmentWindow.Long64(0) : SegmentWindow.Of(System.Cs, System.Cs.Base, processor);
        _s->Segments[SegmentWindows.Ss] = isLong ? SegmentWindow.Long64(0) : SegmentWindow.Of(System.Ss, System.Ss.Base, processor);
        _s->Segments[SegmentWindows.Ds] = isLong ? SegmentWindow.Long64(0) : SegmentWindow.Of(System.Ds, System.Ds.Base, processor);
        _s->Segments[SegmentWindows.Fs] = isLong ? SegmentWindow.Long64(Registers.FsBase) : SegmentWindow.Of(System.Fs, Registers.FsBase, processor);
        _s->Segments[SegmentWindows.Gs] = isLong ? SegmentWindow.Long64(Registers.GsBase) : SegmentWindow.Of(System.Gs, Registers.GsBase, processor);
        ulong codeBase = isLong ? 0 : System.Cs.Base;

        // At 4 GiB code wraps around, as data does.
        ulong codeLimit = isLong || System.Cs.Limit == uint.MaxValue ? ulong.MaxValue : System.Cs.Limit;
        bool isOtherCode = mode != _mode || codeBase != _s->CodeBase || codeLimit != _s->CodeLimit;
        _mode = mode;
        _s->CodeBase = codeBase;
        _s->CodeLimit = codeLimit;
        if (!isOtherCode)
            return;

        // The filter's fetch slots lead to code of another mode, or past another limit.
        Mmu.SetContext(Mmu.Context);
        _s->Attention = 1;
    }

    /// <summary>Whether an address of IA-32e mode may be accessed or be in RIP. What base registers may hold is <see cref="ProcessorFeatures.LinearAddressBits"/>.</summary>
    internal bool IsCanonical(ulong address) => Canonical.Is(address, _s->LinearAddressBits);

    /// <summary>The mode of explicit data accesses made at a privilege level, under RFLAGS.AC as it is.</summary>
    internal AccessMode ModeAt(int level) => level == 3 ? AccessMode.User
        : (_s->SystemFlags & (ulong)RFlags.AlignmentCheck) != 0 ? AccessMode.SupervisorWithAc
        : AccessMode.Supervisor;

    /// <summary>Clears flags other than the six of arithmetic and AC.</summary>
    internal void ClearSystemFlags(RFlags flags) => _s->SystemFlags &= ~(ulong)flags;

    /// <summary>Sets RFLAGS; where AC changes, accesses change their bank; where VM changes, the mode.</summary>
    internal void SetFlags(RFlags flags)
    {
        RFlags changed = flags ^ (RFlags)_s->SystemFlags;
        Registers.Flags = flags;
        if ((changed & (RFlags.AlignmentCheck | RFlags.Virtual8086)) != 0)
            ModeChanged();
    }
}
