using Mmu86.TestKit.Rules;
using Xunit;

namespace Mmu86.Conformance.Tests.Rules;

/// <summary>The checklist is whole, and what it claims has tests.</summary>
public sealed class ChecklistTests
{
    // Letter of the section and number of its last row.
    private static readonly (char Letter, int Last)[] Ranges = [('P', 16), ('R', 14), ('F', 11), ('A', 9), ('T', 24), ('M', 7), ('E', 27), ('N', 12)];

    private static readonly string[] Peers = ["QEMU", "Bochs", "gem5", "blink", "v86"];

    private readonly Checklist _checklist = Checklist.Load();
    private readonly ILookup<string, RuleTest> _tests = RuleScan.Everywhere().ToLookup(test => test.Row);

    [Fact]
    public void Rows_OfTheChecklist_AreThoseOfTheRangesInOrder()
    {
        IEnumerable<string[]> expected = Ranges.Select(range => Enumerable.Range(1, range.Last).Select(number => $"{range.Letter}{number:d2}").ToArray());

        Assert.Equal(expected, _checklist.Sections.Select(section => section.Rows.Select(row => row.Id).ToArray()));
    }

    [Fact]
    public void Attributes_OfEveryTest_NameRowsThatExist() =>
        Assert.Empty(_tests.Select(tests => tests.Key).Except(_checklist.Rows.Select(row => row.Id)));

    [Fact]
    public void Rows_ThatAreKept_HaveATestAndNothingMissing()
    {
        Assert.Empty(_checklist.Rows.Where(row => row.Status == RowStatus.Kept && !_tests.Contains(row.Id)).Select(row => row.Id));
        Assert.Empty(_checklist.Rows.Where(row => row.Status == RowStatus.Kept && row.Missing is not null).Select(row => row.Id));
    }

    [Fact]
    public void Rows_ThatAreNotWhollyKept_SayWhatIsMissing() =>
        Assert.Empty(_checklist.Rows.Where(row => row.Status != RowStatus.Kept && string.IsNullOrWhiteSpace(row.Missing)).Select(row => row.Id));

    [Fact]
    public void Rows_ThatAreNotOffered_HaveATestOfTheRefusalOrNothingToRefuse() =>
        Assert.Empty(_checklist.Rows.Where(row => row.Status == RowStatus.NotOffered && _tests.Contains(row.Id) == row.NothingToRefuse is not null).Select(row => row.Id));

    [Fact]
    public void Texts_OfEveryRow_AreOfOneLineAndNameKnownPeers()
    {
        foreach (ChecklistRow row in _checklist.Rows)
        {
            string[] texts = [row.Rule, row.Source, row.Choice ?? "-", row.Missing ?? "-", row.NothingToRefuse ?? "-", .. row.Peers.Values];
            Assert.All(texts, text => Assert.False(string.IsNullOrWhiteSpace(text) || text.Contains('\n'), row.Id));
            Assert.All(row.Peers.Keys, peer => Assert.Contains(peer, Peers));
        }
    }
}
