using System.Text.Json.Nodes;
using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Running;

/// <summary>What a run left behind: its counts as text, for comparing every number at once, and its output.</summary>
internal sealed record RunTrace(string Output, string Exit, string Counts, string Measured)
{
    /// <summary>Fails with the lines that differ, each under the path of its number.</summary>
    public static void AssertSame(RunTrace expected, RunTrace actual)
    {
        Assert.Equal(expected.Output, actual.Output);
        Assert.Equal(expected.Exit, actual.Exit);
        Assert.Empty(Differences(expected.Counts, actual.Counts));
        Assert.Empty(Differences(expected.Measured, actual.Measured));
    }

    /// <summary>The same without what the fidelities <c>tlb</c> and <c>cycles</c> count differently: cycles, and what caches did.</summary>
    public RunTrace WithoutTime() => this with { Counts = WithoutTime(Counts), Measured = WithoutTime(Measured) };

    private static string WithoutTime(string counts)
    {
        if (counts.Length == 0)
            return counts;
        JsonNode whole = JsonNode.Parse(counts)!;
        whole["Cycles"] = null;
        whole["Caches"] = null;
        whole["Walks"]!["Cycles"] = null;
        whole["Walks"]!["ReferenceHits"] = null;
        return whole.ToJsonString(new System.Text.Json.JsonSerializerOptions { WriteIndented = true });
    }

    private static List<string> Differences(string expected, string actual)
    {
        string[] left = expected.Split('\n');
        string[] right = actual.Split('\n');
        var path = new Stack<string>();
        var differences = new List<string>();
        for (int i = 0; i < Math.Max(left.Length, right.Length); i++)
        {
            string a = i < left.Length ? left[i].Trim() : "";
            string b = i < right.Length ? right[i].Trim() : "";
            if (a != b)
                differences.Add($"{string.Join('/', path.Reverse())}: {a} became {b}");
            if (a.EndsWith('{'))
                path.Push(a.Split('"').ElementAtOrDefault(1) ?? "");
            else if (a.StartsWith('}'))
                path.Pop();
        }

        return differences;
    }
}

/// <summary>Runs bundled guests with parameters small enough for tests.</summary>
internal static class SmallRuns
{
    /// <summary>The machines' memory; twice as much where the guest's pages are large.</summary>
    public const ulong MemoryBytes = 64UL << 20;

    /// <summary>The kernel whose two processes take turns.</summary>
    public const string TwoProcesses = "kernel-two-processes";

    /// <summary>Guests and arguments: a few hundred thousand instructions each.</summary>
    public static readonly string[] Guests =
    [
        "hello", "sieve 20000", "quicksort 3000", "hash-table 2000", "crc 20000", "bytecode 3000", "matrix 24", "strings 2", "tree 1500",
        "fibonacci 14", "stride 300 20", "pointer-chase 400 8000", "gups 400 4000", "heapsort 2000",
        "line-chase 400 8000", "jump-chain 90 3 300", "tlb-probe 64",
        "kernel-demand-paging", TwoProcesses, "kernel-multiboot any words", "kernel-local-apic", "memory-kernel file 60 300 1 1 1 25 10 40",
    ];

    /// <summary>Guests, each with native and with nested paging.</summary>
    public static TheoryData<string, PagingMode> OfBothPagings(IEnumerable<string> guests)
    {
        TheoryData<string, PagingMode> runs = [];
        foreach (string guest in guests)
        {
            runs.Add(guest, PagingMode.Native);
            runs.Add(guest, PagingMode.Nested);
        }

        return runs;
    }

    /// <summary>A guest's name and arguments, given in one string.</summary>
    /// <remarks>What <see cref="TwoProcesses"/> runs by itself is 11 million instructions, so in the default tier it runs fewer rounds.</remarks>
    public static string[] Words(string guest) =>
        guest == TwoProcesses && TestTiers.Current == TestTier.Default ? [guest, "4000"] : guest.Split(' ');

    /// <summary>Options for a guest given as its name and arguments.</summary>
    public static RunOptions Options(string guest, PagingMode paging, Fidelity fidelity, PageSize page, params string[] overrides) =>
        Options(Words(guest), paging, fidelity, page, overrides);

    /// <summary>Options for a guest given as its name and arguments, with its own defaults in every tier.</summary>
    public static RunOptions Options(string[] words, PagingMode paging, Fidelity fidelity, PageSize page, params string[] overrides)
    {
        GuestProgram program = GuestCatalogue.Find(words[0]) ?? throw new ArgumentException(words[0]);
        string pageName = RunReportBuilder.NameOf(page);
        byte[] image = program.Build(new GuestBuildOptions { Arguments = words[1..], GuestPage = pageName });
        return new RunOptions
        {
            Program = new ProgramImage { Name = words[0], Bytes = image, Arguments = words[1..] },
            Machine = MachineCatalogue.Find("skylake", overrides),
            Paging = paging,
            GuestPage = page,
            HostPage = page,
            Fidelity = fidelity,
            MemoryBytes = page == PageSize.Size4K ? MemoryBytes : 2 * MemoryBytes,
            Seed = 1,
        };
    }

    /// <summary>Runs to the end.</summary>
    /// <param name="options">What to run.</param>
    /// <param name="slices">How many instructions each call of the machine may run; null for no limit.</param>
    /// <param name="observer">Sees every translation, or null.</param>
    public static RunTrace Run(RunOptions options, IEnumerator<ulong>? slices, ITranslationObserver? observer)
    {
        var output = new MemoryStream();
        using GuestMachine machine = GuestMachine.Build(options, new GuestOutput(output, output, Stream.Null), observer);
        var reader = new RunCountsReader(options.Machine, options.Paging, options.Fidelity);
        RunCounts? begin = null;
        RunCounts? measured = null;
        ExitReport? exit;
        do
        {
            ulong limit = ulong.MaxValue;
            if (slices is not null)
            {
                slices.MoveNext();
                limit = machine.Vcpu.Counters.Instructions + slices.Current;
            }

            exit = machine.Run(limit, Mark);
        }
        while (exit is null);
        return new RunTrace(
            System.Text.Encoding.ASCII.GetString(output.ToArray()),
            $"{exit.Kind} {exit.Status} {exit.Detail}",
            Text(Count()),
            measured is null ? "" : Text(measured));

        void Mark(uint marker)
        {
            if (marker == Mmu86.Cpu.Markers.Begin)
                begin = Count();
            else if (begin is not null)
                measured = Count().Since(begin);
        }

        RunCounts Count() => reader.Read(machine.Vcpu.Counters, machine.Vcpu.Statistics, machine.Timing?.Statistics);
    }

    // Every number with its path, a line each, so that a difference shows where it is.
    public static string Text(RunCounts counts) =>
        System.Text.Json.JsonSerializer.Serialize(counts, new System.Text.Json.JsonSerializerOptions { WriteIndented = true });
}
