using System.Text;
using System.Text.Json.Nodes;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Xunit;

namespace Mmu86.Tests.Lab;

public sealed class RunReportTests
{
    [Fact]
    public void Write_ModelledRun_HasTheKeysOfTheSchemaInTheirOrder()
    {
        JsonObject report = Parse(SampleReports.Modelled());
        Assert.Equal(
            "schema version program machine paging fidelity guestPage hostPage memoryBytes seed exit instructions repIterations cycles accesses tlb walks faults memory measured host",
            Keys(report));
        Assert.Equal("mmu86.run/1", (string?)report["schema"]);
        Assert.Equal("name sha256 arguments", Keys(report["program"]));
        Assert.Equal("kind status", Keys(report["exit"]));
        Assert.Equal("exited", (string?)report["exit"]!["kind"]);
        Assert.Equal("loads stores fetches splits implicit", Keys(report["accesses"]));
        Assert.Equal("l1i l1d l2 structures", Keys(report["tlb"]));
        Assert.Equal("l1d-4k l1d-2m", Keys(report["tlb"]!["structures"]));
        Assert.Equal("lookups hits misses fills evictions invalidations unresolved bySize", Keys(report["tlb"]!["l1d"]));
        Assert.Equal("4k", Keys(report["tlb"]!["l1d"]!["bySize"]));
        Assert.Equal(
            "count references guestReferences eptReferences cycles faulted faultedReferences adUpdates byReason structureCaches",
            Keys(report["walks"]));
        Assert.Equal("miss dirty rights prefetch", Keys(report["walks"]!["byReason"]));
        Assert.Equal("pde nestedTlb", Keys(report["walks"]!["structureCaches"]));
        Assert.Equal("pageFaults eptViolations eptMisconfigurations", Keys(report["faults"]));
        Assert.Equal("guestFramesTouched hostFramesUsed", Keys(report["memory"]));
        Assert.Equal("instructions repIterations cycles accesses tlb walks faults", Keys(report["measured"]));
        Assert.Equal("seconds wallSeconds mips", Keys(report["host"]));
        Assert.Equal("nested tlb", $"{report["paging"]} {report["fidelity"]}");
    }

    [Fact]
    public void Write_FastRun_LeavesOutWhatWasNotModelled()
    {
        JsonObject report = Parse(SampleReports.Fast());
        Assert.Equal(
            "schema version program machine paging fidelity guestPage hostPage memoryBytes seed exit instructions repIterations accesses faults memory host",
            Keys(report));
        Assert.Equal("loads stores fetches splits implicit", Keys(report["accesses"]));
    }

    public static TheoryData<string> Presets => [.. MachineCatalogue.Names];

    [Theory]
    [MemberData(nameof(Presets))]
    public void Write_Machine_IsAMachineThatReadsBack(string preset)
    {
        JsonObject report = Parse(SampleReports.Modelled() with { Machine = MachineCatalogue.Preset(preset) });
        MachineDescription? machine = MachineJson.Read(Encoding.UTF8.GetBytes(report["machine"]!.ToJsonString()), out IReadOnlyList<ConfigurationError> errors);
        Assert.Empty(errors);
        Assert.Equal(MachineJson.Write(MachineCatalogue.Preset(preset) with { Sources = null }), MachineJson.Write(machine!));
    }

    [Fact]
    public void Since_EarlierCounts_SubtractsEveryNumber()
    {
        RunCounts difference = SampleReports.Counts(10).Since(SampleReports.Counts(6));
        JsonObject expected = Parse(SampleReports.Modelled() with { Measured = SampleReports.Counts(4) });
        JsonObject actual = Parse(SampleReports.Modelled() with { Measured = difference });
        Assert.Equal(expected["measured"]!.ToJsonString(), actual["measured"]!.ToJsonString());
    }

    [Fact]
    public void From_NoMeasurableTime_HasNoMips() =>
        Assert.Null(HostReport.From(5, TimeSpan.Zero, TimeSpan.Zero).Mips);

    private static JsonObject Parse(RunReport report) => JsonNode.Parse(ReportJson.Write(report))!.AsObject();

    private static string Keys(JsonNode? node) => string.Join(' ', node!.AsObject().Select(pair => pair.Key));
}
