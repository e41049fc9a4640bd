namespace Mmu86.Paging;

/// <summary>How the second dimension's entries are read.</summary>
internal enum NestedKind : byte
{
    Ept,

    /// <summary>EPT with mode-based execute control.</summary>
    ModeBasedEpt,
    Npt,
}

/// <summary>The layouts that a machine's second dimension can have.</summary>
internal sealed unsafe class NestedTables
{
    private readonly TableLayout* _layouts;

    /// <summary>Prepares every layout.</summary>
    public NestedTables(Arena arena, int physicalAddressBits, NestedPagingConfiguration configuration)
    {
        IsNpt = configuration.Format == NestedFormat.Npt;
        _layouts = arena.Allocate<TableLayout>(4);
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

    /// <summary>The layout of a root's tables.</summary>
    public TableLayout* Layout(NestedKind kind, ulong root)
    {
        bool isSecond = kind == NestedKind.Npt ? (root & NptPointer.NoExecute) != 0 : kind == NestedKind.ModeBasedEpt;
        return _layouts + (EptPointer.Levels(root) == 5 ? 2 : 0) + (isSecond ? 1 : 0);
    }
}
