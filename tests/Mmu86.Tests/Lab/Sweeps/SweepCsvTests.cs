using System.Text;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Sweeps;
using Mmu86.Lab.Sweeps.Output;
using Mmu86.TestKit.Sweeps;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps;

/// <summary>Sweep rows as CSV.</summary>
public sealed class SweepCsvTests
{
    private const string Header =
        "structure,pageSize,sets,ways,replacement,hash,lookups,misses,missRatio,mpki,walkReferences,walkCycles,paging,settings,walks\n";

    [Fact]
    public void Write_SmallResult_GivesExactlyTheseBytes() =>
        Assert.Equal(Header + "l1d,4k,16,4,lru,linear,20000000,1234,6.17E-05,0.02468,4936,,native,,\n", SweepCsv.Write(SampleSweeps.Small()));

    [Fact]
    public void Write_TextsWithCommasQuotesAndLines_AreQuoted()
    {
        SweepResult result = SampleSweeps.Small();
        result = result with { Rows = [result.Rows[0] with { Structure = "a,b", Replacement = "say \"hi\"", Hash = "x\ny", Settings = "plain" }] };

        Assert.Equal(Header + "\"a,b\",4k,16,4,\"say \"\"hi\"\"\",\"x\ny\",20000000,1234,6.17E-05,0.02468,4936,,native,plain,\n", SweepCsv.Write(result));
    }

    [Fact]
    public void Read_WhatWasWritten_GivesTheSameRows()
    {
        foreach (SweepResult result in new[] { SampleSweeps.Lru(), SampleSweeps.TwoLevels(), SampleSweeps.Hostile(), SampleSweeps.Small() })
        {
            IReadOnlyList<SweepRow>? rows = SweepCsv.Read(Encoding.UTF8.GetBytes(SweepCsv.Write(result)), out IReadOnlyList<ConfigurationError> errors);

            Assert.Empty(errors);
            Assert.Equal(result.Rows, rows!);
        }
    }

    [Fact]
    public void Read_EndsOfLinesOfOtherSystemsAndAByteOrderMark_AreUnderstood()
    {
        string text = "\uFEFF" + SweepCsv.Write(SampleSweeps.Lru()).Replace("\n", "\r\n").TrimEnd();

        Assert.Equal(SampleSweeps.Lru().Rows, SweepCsv.Read(Encoding.UTF8.GetBytes(text), out _)!);
    }

    [Theory]
    [InlineData("", "is empty: the header is missing")]
    [InlineData("structure,sets\n", "line 1: column 2 must be pageSize, not 'sets'")]
    [InlineData("structure,pageSize\n", "line 1: column sets is missing")]
    [InlineData(Header + "l1d,4k\n", "line 2: has 2 fields, not 15")]
    [InlineData(Header + "\n", "line 2: has 1 fields, not 15")]
    [InlineData(Header + "l1d,4k,16,4,lru,linear,x,1,0.1,0,4,,native,,\n", "line 2, column lookups: must be an integer, not 'x'")]
    [InlineData(Header + "l1d,4k,16,4,lru,linear,,1,0.1,0,4,,native,,\n", "line 2, column lookups: is missing")]
    [InlineData(Header + "l1d,4k,3000000000,4,lru,linear,10,1,0.1,0,4,,native,,\n", "line 2, column sets: must be an integer of at most 2147483647, not 3000000000")]
    [InlineData(Header + "l1d,4k,16,4,lru,linear,10,1,0.2,0,4,,native,,\n", "line 2, column missRatio: is 0.2, but misses by lookups are 0.1")]
    [InlineData(Header + "l1d,4k,16,4,lru,linear,10,1,0.1,NaN,4,,native,,\n", "line 2, column mpki: must be a number, not 'NaN'")]
    [InlineData(Header + "l1d,4k,16,4,lru,linear,10,11,1.1,0,4,,native,,\n", "line 2, column misses: must be 0 to the 10 lookups, not 11")]
    [InlineData(Header + "l1d,4k,16,4,lru,linear,10,1,0.1,0,4,,,,\n", "line 2, column paging: must be one of native, nested, not ''")]
    [InlineData(Header + "\"l1d,4k\n", "line 2: has a quote that nothing closes")]
    [InlineData(Header + "\"l1d\"x,4k\n", "line 2: has text behind a closing quote")]
    [InlineData(Header + "l1\"d,4k\n", "line 2: has a quote inside a field that does not begin with one")]
    public void Read_WrongText_NamesLineAndColumn(string text, string expected)
    {
        Assert.Null(SweepCsv.Read(Encoding.UTF8.GetBytes(text), out IReadOnlyList<ConfigurationError> errors));

        Assert.Equal(expected, Assert.Single(errors).ToString());
    }

    [Fact]
    public void Read_ErrorBehindALineBreakInsideQuotes_CountsEveryLine()
    {
        string text = Header + "\"l\n1\",4k,16,4,lru,linear,10,1,0.1,0,4,,native,,\nl1d,4k,16,4,lru,linear,10,1,0.1,0,x,,native,,\n";

        Assert.Null(SweepCsv.Read(Encoding.UTF8.GetBytes(text), out IReadOnlyList<ConfigurationError> errors));

        Assert.Equal("line 4, column walkReferences: must be an integer, not 'x'", Assert.Single(errors).ToString());
    }
}
