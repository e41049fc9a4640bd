namespace Mmu86.Hypervisor.Sharing;

/// <summary>How fast equal pages are looked for.</summary>
public sealed record PageSharingOptions
{
    /// <summary>ESX: <c>Mem.ShareScanTotal</c>.</summary>
    public const ulong EsxPagesPerSecond = 200;

    /// <summary>A thousand times what ESX does, for scenarios in which a host lives through its day in a tenth of a second.</summary>
    public const ulong DefaultPagesPerSecond = 1000 * EsxPagesPerSecond;

    /// <summary>The fastest: every frame of a host of 1 TiB in a quarter of a second.</summary>
    public const ulong MostPagesPerSecond = 1_000_000_000;

    // ESX: Mem.ShareScanVM is 50.
    private const ulong MachinesForAll = 4;

    /// <summary>Pages that are looked at in a virtual second, of all machines together. Not 0.</summary>
    public required ulong PagesPerSecond { get; init; }

    /// <summary>Pages that are looked at in a virtual second of one machine at most. Not 0.</summary>
    public required ulong PagesPerSecondOfMachine { get; init; }

    /// <summary>How pages are told apart.</summary>
    public required IPageContent Content { get; init; }

    /// <summary>The seed of the order in which pages are looked at.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Everything after a rate and a seed; one machine gets a quarter of the rate, as on ESX.</summary>
    /// <param name="pagesPerSecond">As <see cref="PagesPerSecond"/>.</param>
    /// <param name="seed">Of the hash and the order.</param>
    public static PageSharingOptions At(ulong pagesPerSecond, ulong seed) => new()
    {
        PagesPerSecond = pagesPerSecond,
        PagesPerSecondOfMachine = Math.Max(1, pagesPerSecond / MachinesForAll),
        Content = new PageContent(seed),
        Seed = seed,
    };
}
