using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>How the second dimension's entries are read.</summary>
internal enum NestedKind : byte
{
    Ept,

    /// <summary>AMD's, of a host in 4-level or 5-level paging.</summary>
    Npt,

    /// <summary>EPT with mode-based execute control.</summary>
    ModeBasedEpt,

    /// <summary>EPT with paging-write control.</summary>
    PagingWriteEpt,

    /// <summary>Both.</summary>
    ModeBasedPagingWriteEpt,

    /// <summary>AMD's, of a host in PAE paging.</summary>
    NptPae,

    /// <summary>AMD's, of a host in 32-bit paging.</summary>
    NptBits32,
}

/// <summary>The layouts that a machine's second dimension can have.</summary>
internal sealed unsafe class NestedTables
{
    private readonly TableLayout* _layouts;

    /// <summary>Prepares every layout.</summary>
    public NestedTables(Arena arena, int physicalAddressBits, NestedPagingConfiguration configuration)
    {
        IsNpt = configuration.Format == NestedFormat.Npt;
        _layouts = arena.Allocate<TableLayout>(8);
        PagingFeatures legacy = new(physicalAddressBits, HasPage1G: false, HasPse36: true, ReservesBit8AbovePdpte: true);
        _layouts[4] = TableLayout.Guest(GuestPagingMode.Pae, legacy, LayoutOption.Clear);
        _layouts[5] = TableLayout.Guest(GuestPagingMode.Pae, legacy, LayoutOption.Set);
        _layouts[6] = TableLayout.Guest(GuestPagingMode.Bits32, legacy, LayoutOption.Clear);
        _layouts[7] = TableLayout.Guest(GuestPagingMode.Bits32, legacy, LayoutOption.Set);
        for (int variant = 0; variant < 4; variant++)
        {
            int levels = 4 + (variant >> 1);
            bool isSecond = (variant & 1) != 0;
            _layouts[variant] = IsNpt
                ? TableLayout.Npt(physicalAddressBits, configuration, levels, hasNoExecute: isSecond)
                : TableLayout.Ept(physicalAddressBits, configuration, levels, isModeBased: isSecond);
        }

        PhysicalAddressBits = physicalAddressBits;
        TellsViolationDetails = configuration.ViolationDetails;
    }

    /// <summary>Whether the machine has AMD's nested paging instead of EPT.</summary>
    public bool IsNpt { get; }

    /// <summary>MAXPHYADDR.</summary>
    public int PhysicalAddressBits { get; }

    /// <summary>Whether an EPT violation tells the guest's rights.</summary>
    public bool TellsViolationDetails { get; }

    /// <summary>How the entries below a root are read.</summary>
    public NestedKind Kind(ulong root, NestedControls? controls)
    {
        if (IsNpt)
            return EptPointer.Levels(root) switch { 2 => NestedKind.NptBits32, 3 => NestedKind.NptPae, _ => NestedKind.Npt };
        bool isModeBased = controls is { ModeBasedExecute: true };
        return controls is { PagingWrite: true }
            ? isModeBased ? NestedKind.ModeBasedPagingWriteEpt : NestedKind.PagingWriteEpt
            : isModeBased ? NestedKind.ModeBasedEpt : NestedKind.Ept;
    }

    /// <summary>The layout of a root's tables.</summary>
    public TableLayout* Layout(NestedKind kind, ulong root)
    {
        if (kind == NestedKind.NptBits32)
            return _layouts + ((root & NptPointer.PageSizeExtensions) != 0 ? 7 : 6);
        bool isSecond = IsNpt ? (root & NptPointer.NoExecute) != 0 : kind is NestedKind.ModeBasedEpt or NestedKind.ModeBasedPagingWriteEpt;
        if (kind == NestedKind.NptPae)
            return _layouts + (isSecond ? 5 : 4);
        return _layouts + (EptPointer.Levels(root) == 5 ? 2 : 0) + (isSecond ? 1 : 0);
    }
}
