using System.Text;
using System.Text.Json.Nodes;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Sweeps;
using Mmu86.Lab.Sweeps.Output;
using Mmu86.TestKit.Sweeps;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps;

/// <summary>Sweep results as JSON: what is written reads back as the same, and what nobody would write is refused in words.</summary>
public sealed class SweepJsonTests
{
    public static TheoryData<string> Samples => ["Lru", "TwoLevels", "Hostile", "Small"];

    [Theory]
    [MemberData(nameof(Samples))]
    public void Read_WhatWasWritten_GivesTheSameBytesAgain(string sample)
    {
        string written = SweepJson.Write(Sample(sample));

        SweepResult? read = SweepJson.Read(Encoding.UTF8.GetBytes(written), out IReadOnlyList<ConfigurationError> errors);

        Assert.Empty(errors);
        Assert.Equal(written, SweepJson.Write(read!));
        Assert.Equal(Sample(sample).Rows, read!.Rows);
    }

    [Fact]
    public void Write_Row_HasTheColumnsInTheirOrderAndNothingUnknown()
    {
        JsonNode document = JsonNode.Parse(SweepJson.Write(SampleSweeps.Small()))!;

        Assert.Equal("mmu86.sweep/1", (string?)document["schema"]);
        Assert.Equal(
            """{"structure":"l1d","pageSize":"4k","sets":16,"ways":4,"replacement":"lru","hash":"linear","lookups":20000000,"misses":1234,"missRatio":6.17E-05,"mpki":0.02468,"walkReferences":4936,"paging":"native"}""",
            document["rows"]![0]!.ToJsonString());
        Assert.Null(document["exit"]);
        Assert.Null(document["shard"]);
        Assert.Null(document["machine"]!["sources"]);
    }

    [Theory]
    [InlineData("rows[0].misses", "20000001", "rows[0].misses: must be 0 to the 20000000 lookups, not 20000001")]
    [InlineData("rows[0].misses", "-1", "rows[0].misses: must be 0 to the 20000000 lookups, not -1")]
    [InlineData("rows[0].misses", "\"many\"", "rows[0].misses: must be an integer, not 'many'")]
    [InlineData("rows[0].missRatio", "0.5", "rows[0].missRatio: is 0.5, but misses by lookups are 6.17E-05")]
    [InlineData("rows[0].mpki", "1e999", "rows[0].mpki: must be a number, not 1e999")]
    [InlineData("rows[0].paging", "\"shadow\"", "rows[0].paging: must be one of native, nested, not 'shadow'")]
    [InlineData("rows[0].pageSize", "\"8k\"", "rows[0].pageSize: must be one of 4k, 2m, 1g, not '8k'")]
    [InlineData("seed", "-1", "seed: must be an integer of at least 0, not -1")]
    [InlineData("machine.mmu.l1Data.arrays[0].ways", "-4", "machine.mmu.l1Data.arrays[0].ways: ")]
    [InlineData("schema", "\"mmu86.run/1\"", "schema: must be 'mmu86.sweep/1', not 'mmu86.run/1'")]
    [InlineData("isComplete", "1", "isComplete: must be true or false, not 1")]
    public void Read_WrongValue_NamesItsPath(string path, string value, string expected)
    {
        JsonNode document = JsonNode.Parse(SweepJson.Write(SampleSweeps.Small()))!;
        Assert.True(ConfigurationPath.TryResolve(document, path, out JsonNode? node, out _));
        node!.ReplaceWith(JsonNode.Parse(value));

        SweepResult? read = SweepJson.Read(Encoding.UTF8.GetBytes(document.ToJsonString()), out IReadOnlyList<ConfigurationError> errors);

        Assert.Null(read);
        Assert.Contains(errors, error => error.ToString().StartsWith(expected, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("rows[0]", "structure", "rows[0].structure: is missing")]
    [InlineData("rows[0]", "missRatio", "rows[0].missRatio: is missing")]
    [InlineData("program", "sha256", "program.sha256: is missing")]
    public void Read_MissingKey_NamesIt(string parent, string key, string expected)
    {
        JsonNode document = JsonNode.Parse(SweepJson.Write(SampleSweeps.Small()))!;
        Assert.True(ConfigurationPath.TryResolve(document, parent, out JsonNode? node, out _));
        node!.AsObject().Remove(key);

        Assert.Null(SweepJson.Read(Encoding.UTF8.GetBytes(document.ToJsonString()), out IReadOnlyList<ConfigurationError> errors));

        Assert.Equal(expected, Assert.Single(errors).ToString());
    }

    [Fact]
    public void Read_UnknownKey_IsRefusedWithSuggestion()
    {
        JsonNode document = JsonNode.Parse(SweepJson.Write(SampleSweeps.Small()))!;
        document["gird"] = "x";

        Assert.Null(SweepJson.Read(Encoding.UTF8.GetBytes(document.ToJsonString()), out IReadOnlyList<ConfigurationError> errors));

        Assert.Equal("gird: unknown key; did you mean 'grid'?", Assert.Single(errors).ToString());
    }

    [Fact]
    public void Read_SmallestThatIsNoRow_IsRefused()
    {
        SweepResult result = SampleSweeps.Lru();
        string written = SweepJson.Write(result with { SmallestNearBest = result.Rows[0] with { Ways = 99 } });

        Assert.Null(SweepJson.Read(Encoding.UTF8.GetBytes(written), out IReadOnlyList<ConfigurationError> errors));

        Assert.Equal("smallestNearBest: is none of the rows", Assert.Single(errors).ToString());
    }

    [Fact]
    public void Read_TruncatedAnywhere_IsRefusedAndNeverThrows()
    {
        byte[] written = Encoding.UTF8.GetBytes(SweepJson.Write(SampleSweeps.Small()));
        for (int length = 0; length < written.Length - 2; length += 37)
        {
            Assert.Null(SweepJson.Read(written.AsMemory(0, length), out IReadOnlyList<ConfigurationError> errors));
            Assert.StartsWith("is not JSON at line ", Assert.Single(errors).ToString());
        }
    }

    [Fact]
    public void ReadFile_MissingFile_NamesIt()
    {
        ConfigurationException exception = Assert.Throws<ConfigurationException>(() => SweepJson.ReadFile("/nosuch/sweep.json"));

        Assert.Equal("sweep result /nosuch/sweep.json: cannot be read", exception.Message);
        Assert.Equal(ConfigurationOrigin.File, exception.Origin);
    }

    private static SweepResult Sample(string name) => name switch
    {
        "Lru" => SampleSweeps.Lru(),
        "TwoLevels" => SampleSweeps.TwoLevels(),
        "Hostile" => SampleSweeps.Hostile(),
        _ => SampleSweeps.Small(),
    };
}
