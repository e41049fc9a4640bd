using Mmu86.Lab.Configuration;
using Mmu86.X86;

namespace Mmu86.Lab.Sweeps.Grids;

/// <summary>The grids that have names, and how a name or a file becomes a grid.</summary>
public static class GridCatalogue
{
    private static readonly string[] s_noCache = ["{\"entries\":0,\"ways\":0,\"replacement\":\"lru\"}"];

    private static readonly (string Name, string Description, Func<SweepGrid> Make)[] s_grids =
    [
        ("lru", "data TLB for 4 KiB pages: LRU, sets 1 to 512, ways 1 to 16", () => Lru("lru", isInstruction: false, PageSize.Size4K)),
        ("lru-2m", "data TLB for 2 MiB pages: LRU, sets 1 to 512, ways 1 to 16", () => Lru("lru-2m", isInstruction: false, PageSize.Size2M)),
        ("lru-instruction", "instruction TLB for 4 KiB pages: LRU, sets 1 to 512, ways 1 to 16", () => Lru("lru-instruction", isInstruction: true, PageSize.Size4K)),
        ("fully-associative", "data TLB for 4 KiB pages: one set of 1 to 4096 ways, LRU", () => FullyAssociative("fully-associative", PageSize.Size4K)),
        ("fully-associative-2m", "data TLB for 2 MiB pages: one set of 1 to 4096 ways, LRU", () => FullyAssociative("fully-associative-2m", PageSize.Size2M)),
        ("l2", "the first array of the second level: 64 to 512 sets of 2 to 16 ways, four policies", L2),
        ("structure-caches", "caches of PDEs and PDPTEs: none to 64 entries, and the nested TLB", StructureCaches),
    ];

    /// <summary>The names.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. s_grids.Select(grid => grid.Name)];

    /// <summary>Names with what each is, for lists.</summary>
    public static IReadOnlyList<(string Name, string Description)> Descriptions { get; } = [.. s_grids.Select(grid => (grid.Name, grid.Description))];

    /// <summary>Finds a grid by its name or reads it from a file.</summary>
    /// <param name="nameOrFile">What <c>--grid</c> was given.</param>
    /// <exception cref="ConfigurationException">It does not exist or is wrong; carries every error.</exception>
    public static SweepGrid Find(string nameOrFile)
    {
        foreach ((string name, _, Func<SweepGrid> make) in s_grids)
        {
            if (name == nameOrFile)
                return make();
        }

        if (!File.Exists(nameOrFile))
        {
            throw new ConfigurationException(
                $"grid {nameOrFile}", ConfigurationOrigin.File, [new("", $"is neither a grid ({string.Join(", ", Names)}) nor a file{Suggestion.Ending(nameOrFile, Names)}")]);
        }

        string origin = $"grid file {nameOrFile}";
        byte[] bytes = BoundedFile.Read(nameOrFile, GridJson.MaximumBytes, out string problem)
            ?? throw new ConfigurationException(origin, ConfigurationOrigin.File, [new("", problem)]);
        return GridJson.Read(bytes, Path.GetFileName(nameOrFile), out IReadOnlyList<ConfigurationError> errors)
            ?? throw new ConfigurationException(origin, ConfigurationOrigin.File, errors);
    }

    private static SweepGrid Lru(string name, bool isInstruction, PageSize size) => new()
    {
        Name = name,
        Families =
        [
            new LruFamilyRequest
            {
                IsInstruction = isInstruction,
                PageSize = size,
                Sets = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
                Ways = [.. Enumerable.Range(1, 16)],
            },
        ],
    };

    private static SweepGrid FullyAssociative(string name, PageSize size) => new()
    {
        Name = name,
        Families =
        [
            new LruFamilyRequest
            {
                IsInstruction = false,
                PageSize = size,
                Sets = [1],
                Ways = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096],
            },
        ],
    };

    private static SweepGrid L2() => new()
    {
        Name = "l2",
        Models = new ModelRequest
        {
            Structure = "l2",
            Array = "mmu.l2.arrays[0]",
            Settings = GridAxis.Product(
            [
                new GridAxis("mmu.l2.arrays[0].hash", ["linear"]),
                new GridAxis("mmu.l2.arrays[0].replacement", ["lru", "treePlru", "fifo", "random"]),
                new GridAxis("mmu.l2.arrays[0].sets", ["64", "128", "256", "512"]),
                new GridAxis("mmu.l2.arrays[0].ways", ["2", "4", "8", "16"]),
            ]),
        },
    };

    private static SweepGrid StructureCaches() => new()
    {
        Name = "structure-caches",
        Models = new ModelRequest
        {
            Structure = "l2",
            Settings = GridAxis.Product(
            [
                new GridAxis("mmu.structureCaches.nestedTlb", [.. s_noCache, Cache(64)]),
                new GridAxis("mmu.structureCaches.pdpte", [.. s_noCache, Cache(4), Cache(16)]),
                new GridAxis("mmu.structureCaches.pde", [.. s_noCache, Cache(4), Cache(8), Cache(16), Cache(32), Cache(64)]),
            ]),
        },
    };

    private static string Cache(int entries) => $"{{\"entries\":{entries},\"ways\":4,\"replacement\":\"lru\"}}";
}
