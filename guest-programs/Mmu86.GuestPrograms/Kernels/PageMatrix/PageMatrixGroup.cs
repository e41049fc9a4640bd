namespace Mmu86.GuestPrograms;

/// <summary>Cases that vary one entry of a walk: which page size, which entry, and what about it.</summary>
/// <param name="Leaf">The level that maps the page: 3 for 4 KiB, 2 for 2 MiB, 1 for 1 GiB. Levels count from the PML4, which is 0.</param>
/// <param name="Varied">The level of the entry that takes every value.</param>
/// <param name="Class">What the cases are about.</param>
internal sealed record PageMatrixGroup(int Leaf, int Varied, PageMatrixClass Class)
{
    private static readonly string[] Entries = ["pml4e", "pdpte", "pde", "pte"];

    /// <summary>The entry that takes a few values besides: the map entry, or the topmost where the map entry is varied.</summary>
    public int Other => Varied == Leaf ? 0 : Leaf;

    public PageMatrixAccess FirstAccess =>
        Class == PageMatrixClass.Implicit ? PageMatrixAccess.SupervisorSegmentLoad : PageMatrixAccess.SupervisorRead;

    public int AccessCount => Class == PageMatrixClass.Implicit ? 2 : 6;

    /// <summary>How its lines begin, for example <c>4k pde rights</c>.</summary>
    public string Name => $"{(Leaf switch { 3 => "4k", 2 => "2m", _ => "1g" })} {Entries[Varied]} {Class.ToString().ToLowerInvariant()}";

    /// <summary>The bits of the varied entry, one after the other, that the manual reserves whatever the machine.</summary>
    /// <remarks>
    /// SDM 3, "4-Level Paging and 5-Level Paging". PS in a PDPTE or PDE that leads to a table makes a large page of it, whose address is
    /// that of the table, and the kernel's tables lie so that address bit 13, which a large page reserves, is set.
    /// </remarks>
    public IReadOnlyList<ulong> ReservedBits => (Leaf, Varied) switch
    {
        (1, 1) => [1UL << 13, 1UL << 29],
        (2, 2) => [1UL << 13, 1UL << 20],
        (_, 3) => [],
        _ => [PagingFlags.PageSize],
    };

    /// <summary>Every group, in the order of the output.</summary>
    public static IReadOnlyList<PageMatrixGroup> All { get; } =
    [
        .. from leaf in new[] { 3, 2, 1 }
           from varied in Enumerable.Range(0, leaf + 1)
           from about in Enum.GetValues<PageMatrixClass>()
           select new PageMatrixGroup(leaf, varied, about),
    ];
}
