using System.Text;
using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Scenarios;

namespace Mmu86.Tests.Lab.Scenarios;

/// <summary>What tests of a host's snapshots have in common.</summary>
internal static class SnapshotScenarios
{
    /// <summary>When <see cref="Everything"/> has most under way: pages are shared, pooled, being written and on the device; one machine has ended, one has just begun.</summary>
    public const ulong Busiest = 9_700_000;

    /// <summary>Clones that share, with balloons; a pool, a tax, and one that starts late, on too little memory: something of everything that a host has.</summary>
    public const string Everything = """
        { "schema": "mmu86.scenario/1", "hostMemory": "14M", "swap": { "size": "64M", "compressedPool": "1M" }, "limits": { "time": 10300000 },
          "policy": { "replacement": "arc", "reclaim": "shares", "idleTaxPercent": 75, "samplePeriod": 1000000, "balloon": true, "sharing": true, "sharingPagesPerSecond": 1000000 },
          "machines": [
            { "name": "kernel", "program": "memory-kernel", "args": ["random", "45%", "20000", "0", "0", "1", "40", "5"], "memory": "16M", "count": 2 },
            { "name": "chase", "program": "pointer-chase", "args": ["900", "4000000"], "memory": "16M", "shares": 300 },
            { "name": "short", "program": "tree", "args": ["300"], "memory": "16M" },
            { "name": "late", "program": "gups", "args": ["600", "30000"], "memory": "16M", "startAt": 9400000 } ] }
        """;

    /// <summary>A report without what varies from run to run.</summary>
    public static string Text(VmsReport report) => VmsJson.Write(report with { Host = HostReport.From(0, TimeSpan.Zero, TimeSpan.Zero) });

    /// <summary>Reads a scenario.</summary>
    public static Scenario Read(string json, string machine = "skylake", Fidelity fidelity = Fidelity.Tlb, ulong seed = 1) => ScenarioJson.Read(
        Encoding.UTF8.GetBytes(json),
        new ScenarioReading
        {
            Name = "test",
            Folder = "",
            Machine = MachineCatalogue.Find(machine, []),
            Fidelity = fidelity,
            ScaleFactor = 1,
            ScaleDivisor = 1,
            HostMemoryBytes = null,
            Seed = seed,
            FindProgram = Find,
        },
        out IReadOnlyList<ConfigurationError> errors) ?? throw new InvalidOperationException(string.Join('\n', errors));

    private static ProgramImage? Find(string program, IReadOnlyList<string> arguments, ulong memory, out string problem)
    {
        problem = $"there is no guest '{program}'";
        return GuestCatalogue.Find(program) is not { } guest ? null
            : new ProgramImage { Name = program, Bytes = guest.Build(new GuestBuildOptions { Arguments = arguments, GuestPage = "4k", MemoryBytes = memory }), Arguments = arguments };
    }
}
