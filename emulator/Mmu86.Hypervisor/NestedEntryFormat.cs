using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <summary>What the entries that the hypervisor writes look like in a format. Frames and the page-size bit have the same place in both.</summary>
internal sealed record NestedEntryFormat
{
    private static readonly NestedEntryFormat s_ept = new()
    {
        PresentMask = EptEntry.Rights,
        Table = EptEntry.Rights,
        Page = EptEntry.Rights | EptEntry.MemoryTypeWriteBack,
        RootFlags = EptPointer.FourLevels | EptPointer.WriteBack,
        TrackingRootFlags = EptPointer.AccessedAndDirty,
        Write = EptEntry.Write,
        Accessed = EptEntry.Accessed,
        Dirty = EptEntry.Dirty,
    };

    // Every access of a guest is a user-mode access to nested tables. APM 2, "Nested Paging".
    private static readonly NestedEntryFormat s_npt = new()
    {
        PresentMask = PagingEntry.Present,
        Table = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User,
        Page = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User,
        RootFlags = EptPointer.FourLevels | NptPointer.On | NptPointer.NoExecute,
        TrackingRootFlags = 0, // they are always set
        Write = PagingEntry.Writable,
        Accessed = PagingEntry.Accessed,
        Dirty = PagingEntry.Dirty,
    };

    /// <summary>An entry is present if one of these bits is set.</summary>
    public required ulong PresentMask { get; init; }

    /// <summary>The flags of an entry that references a table.</summary>
    public required ulong Table { get; init; }

    /// <summary>The flags of an entry that maps a page, the page-size bit not among them.</summary>
    public required ulong Page { get; init; }

    /// <summary>What the pointer to the top table has beside its address.</summary>
    public required ulong RootFlags { get; init; }

    /// <summary>What the pointer needs so that the processor sets accessed and dirty flags.</summary>
    public required ulong TrackingRootFlags { get; init; }

    /// <summary>The right to write.</summary>
    public required ulong Write { get; init; }

    /// <summary>The flag that the processor sets when it uses an entry.</summary>
    public required ulong Accessed { get; init; }

    /// <summary>The flag that the processor sets when it writes a page.</summary>
    public required ulong Dirty { get; init; }

    /// <summary>The entries of a format.</summary>
    public static NestedEntryFormat Of(NestedFormat format) => format switch
    {
        NestedFormat.Ept => s_ept,
        NestedFormat.Npt => s_npt,
        _ => throw new ArgumentOutOfRangeException(nameof(format)),
    };
}
