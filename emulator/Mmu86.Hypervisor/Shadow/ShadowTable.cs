using Mmu86.X86;

namespace Mmu86.Hypervisor.Shadow;

/// <summary>One table that the processor walks in place of its guest's.</summary>
/// <remarks>
/// Entries that reference a table grant everything; those that map a page have the rights of all the guest's entries together. So an entry
/// depends on every guest entry on its way, and each table remembers those of the guest table that it stands for.
/// </remarks>
internal sealed class ShadowTable
{
    /// <summary>Entries of a table.</summary>
    public const int Entries = 512;

    private ShadowTable?[]? _children;
    private ulong[]? _sources;
    private ulong[]? _frames;

    /// <summary>Where it is.</summary>
    public required HostPhysicalAddress Host { get; init; }

    /// <summary>The level of its entries: 1 for those that map 4 KiB.</summary>
    public required int Level { get; init; }

    /// <summary>Whose tables it belongs to.</summary>
    public required ShadowSpace Space { get; init; }

    /// <summary>The guest's table that it stands for; null without paging and for parts of a large page of the guest.</summary>
    public required GuestTable? Guest { get; init; }

    /// <summary>The guest table was written since this one was last in step.</summary>
    public bool IsStale { get; set; }

    /// <summary>It was given up.</summary>
    public bool IsGone { get; set; }

    /// <summary>Where an entry is.</summary>
    public HostPhysicalAddress EntryAt(int index) => new(Host.Value + ((ulong)index * sizeof(ulong)));

    /// <summary>The index of an address at a level.</summary>
    public static int IndexOf(ulong linear, int level) => (int)(linear >> (12 + (9 * (level - 1)))) & (Entries - 1);

    /// <summary>The table that an entry references; null where it references none.</summary>
    public ShadowTable? ChildAt(int index) => _children?[index];

    /// <summary>Notes the table that an entry references.</summary>
    public void SetChild(int index, ShadowTable? child) => (_children ??= new ShadowTable?[Entries])[index] = child;

    /// <summary>The guest's entry that an entry was made of.</summary>
    public ulong SourceOf(int index) => _sources![index];

    /// <summary>Remembers the guest's entry that an entry is made of.</summary>
    public void Remember(int index, ulong source) => (_sources ??= new ulong[Entries])[index] = source;

    /// <summary>The first frame of the guest's that an entry maps.</summary>
    public GuestFrameNumber FrameOf(int index) => new(_frames![index]);

    /// <summary>Remembers the first frame of the guest's that an entry maps.</summary>
    public void RememberFrame(int index, GuestFrameNumber frame) => (_frames ??= new ulong[Entries])[index] = frame.Value;
}
