using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Sweeps;

namespace Mmu86.TestKit.Sweeps;

/// <summary>Sweep results made by formulas, for whoever shows or stores them.</summary>
public static class SampleSweeps
{
    private const long Lookups = 20_000_000;
    private const long Instructions = 50_000_000;

    /// <summary>Names that a hostile guest would choose, if it could: markup, quotes, ends of lines, what spreadsheets and terminals understand.</summary>
    public static IReadOnlyList<string> HostileNames { get; } =
    [
        "<script>alert(1)</script>", "</script><img src=x onerror=alert(2)>", "\"quoted\", with a comma", "two\r\nlines", "[red]markup[/]",
        "--><!--", "'; drop", "\u001b[31mred", "&amp;", "emoji \U0001F600 and \u2028",
    ];

    /// <summary>The grid <c>lru</c>: 160 rows, sets 1 to 512 and ways 1 to 16, with misses by class and a working set.</summary>
    public static SweepResult Lru()
    {
        SweepRow[] rows =
        [
            .. from setsLog in Enumerable.Range(0, 10)
               from ways in Enumerable.Range(1, 16)
               select OneArray(1 << setsLog, ways, Misses(1 << setsLog, ways)),
        ];
        return Base("lru", rows) with
        {
            SmallestNearBest = rows.Single(row => row is { Sets: 128, Ways: 15 }),
            Misses = Breakdown(["insert", "lookup", "rehash", "hash_next", "memcpy", "main", "(no symbol)"]),
            WorkingSet = WorkingSet(),
        };
    }

    /// <summary>Configurations of several levels, native and nested, each with what it sets.</summary>
    public static SweepResult TwoLevels()
    {
        SweepRow[] rows =
        [
            .. from paging in new[] { "native", "nested" }
               from entries in new[] { 64, 96, 128 }
               from sets in new[] { 64, 128, 192, 256 }
               let misses = (4_000_000L / (sets + 40)) + (30_000L / entries)
               select new SweepRow
               {
                   Structure = "l2",
                   Lookups = 2_000_000 - (1000 * entries),
                   Misses = misses,
                   Mpki = misses * 1000.0 / Instructions,
                   WalkReferences = misses * (paging == "native" ? 2 : 7),
                   WalkCycles = misses * (paging == "native" ? 30 : 110),
                   Walks = misses,
                   Paging = paging,
                   Settings = $"mmu.l1Data.arrays[l1d-4k].sets={entries / 4} mmu.l2.arrays[l2-4k-2m].sets={sets}",
               },
        ];
        return Base("two-levels", rows) with { Assumption = "the guest reads a clock that counts cycles" };
    }

    /// <summary>A result whose every text is hostile.</summary>
    public static SweepResult Hostile()
    {
        SweepRow[] rows =
        [
            .. HostileNames.Select((name, index) => OneArray(16, 4, 1000 + index) with { Structure = name, Settings = $"mmu.{name}=1", Replacement = name, Hash = name }),
        ];
        SweepResult harmless = Base(HostileNames[0], rows);
        return harmless with
        {
            Program = harmless.Program with { Name = HostileNames[0], Arguments = HostileNames },
            Machine = harmless.Machine with { Description = HostileNames[1] },
            Exit = new ExitReport { Kind = ExitKind.Limit, Status = 75, Detail = HostileNames[1] },
            Assumption = HostileNames[1],
            IsComplete = false,
            Shard = "2/3",
            SmallestNearBest = rows[1],
            Misses = Breakdown(HostileNames),
            WorkingSet = WorkingSet(),
        };
    }

    /// <summary>The smallest result: one row, nothing else known.</summary>
    public static SweepResult Small() => Base("one", [OneArray(16, 4, 1234)]) with { Exit = null };

    private static SweepResult Base(string grid, IReadOnlyList<SweepRow> rows) => new()
    {
        Program = new ProgramReport { Name = "hash-table", Sha256 = new string('a', 64), Arguments = ["200000"] },
        Machine = MachineCatalogue.Preset("skylake") with { Sources = null },
        Grid = grid,
        Seed = ulong.MaxValue,
        Exit = new ExitReport { Kind = ExitKind.Exited, Status = 0 },
        Instructions = Instructions,
        IsComplete = true,
        Rows = rows,
    };

    private static SweepRow OneArray(int sets, int ways, long misses) => new()
    {
        Structure = "l1d",
        PageSize = "4k",
        Sets = sets,
        Ways = ways,
        Replacement = "lru",
        Hash = "linear",
        Lookups = Lookups,
        Misses = misses,
        Mpki = misses * 1000.0 / Instructions,
        WalkReferences = misses * 4,
        Paging = "native",
    };

    // A working set of some 1,800 pages, and conflicts where ways are few.
    private static long Misses(int sets, int ways)
    {
        long entries = (long)sets * ways;
        return 2400 + ((9_000_000 * 60) / (60 + entries) * Math.Max(0, 1800 - entries) / 1800) + (600_000L * Math.Max(0, 6 - ways) / (1 + (sets / 64)));
    }

    private static MissBreakdown Breakdown(IReadOnlyList<string> names)
    {
        MissGroup[] symbols = [.. names.Select((name, index) => new MissGroup(name, Classes(200_000 / (index + 1))))];
        return new MissBreakdown
        {
            Total = symbols.Select(group => group.Misses).Aggregate(Classes(0), (a, b) => new MissClassCounts
            {
                Compulsory = a.Compulsory + b.Compulsory,
                Capacity = a.Capacity + b.Capacity,
                Conflict = a.Conflict + b.Conflict,
                Invalidation = a.Invalidation + b.Invalidation,
            }),
            ByPageSize = [new MissGroup("4k", Classes(8000)), new MissGroup("2m", Classes(1000))],
            BySymbol = symbols,
            ByPage = [.. Enumerable.Range(0, 24).Select(index => new MissGroup($"0x{0x7f0000000000 + (index * 0x1000):x}", Classes(9000 / (index + 1))))],
            MissesWith2MPages = 4321,
        };
    }

    private static MissClassCounts Classes(long scale) => new()
    {
        Compulsory = scale / 100,
        Capacity = scale,
        Conflict = scale / 4,
        Invalidation = scale / 50,
    };

    private static WorkingSetSample[] WorkingSet() =>
    [
        .. Enumerable.Range(1, 100).Select(index => new WorkingSetSample(
            Instructions / 100 * index, 400 + (14 * index) + (300 * (index % 20) / 20), 12 + (index % 5), 4 + (index / 25))),
    ];
}
