using System.Text;

namespace Mmu86.TestKit.Rules;

/// <summary>Renders <c>docs/SPECIFICATION.md</c> from the checklist and from the attributes of the tests.</summary>
public sealed class SpecificationBook(Checklist checklist, IReadOnlyList<RuleTest> tests)
{
    private readonly ILookup<string, RuleTest> _tests = tests.ToLookup(test => test.Row);

    /// <summary>The document, with line feeds.</summary>
    public string Render()
    {
        var text = new StringBuilder(Introduction);
        WriteSummary(text);
        foreach (ChecklistSection section in checklist.Sections)
            WriteSection(text, section);
        return text.ToString();
    }

    private const string Introduction =
        """
        # The conformance book

        What a faithful x86-64 MMU must do, row by row, and what Mmu86 does. A row is a rule of the Intel SDM, volume 3 (of AMD's APM, volume 2, in
        the last section), told in our words with the title of the section that it comes from. *Kept* rows have tests, named below each table;
        a row that is kept in part, not offered or not built says what is missing. The last column tells where other emulators do
        otherwise, as read in their sources; an empty cell says nothing about them.

        This file is generated from `tests/Mmu86.TestKit/Rules/checklist.json` and from the `[Rule("...")]` attributes of the tests, and a test
        compares it with them. After a change of either, write it anew:

        ```
        MMU86_WRITE_BOOK=1 dotnet test tests/Mmu86.Conformance.Tests -c Release --filter SpecificationBookTests
        ```


        """;

    private void WriteSummary(StringBuilder text)
    {
        RowStatus[] statuses = Enum.GetValues<RowStatus>();
        text.Append($"## Summary\n\n| section | rows | {string.Join(" | ", statuses.Select(Words))} | test methods |\n|---|{Repeat("--:|", statuses.Length + 2)}\n");
        foreach (ChecklistSection section in checklist.Sections)
            text.Append(SummaryLine($"[{section.Title}](#{Anchor(section.Title)})", section.Rows));
        text.Append(SummaryLine("**all**", [.. checklist.Rows])).Append('\n');

        string SummaryLine(string title, IReadOnlyList<ChecklistRow> rows)
        {
            int methods = rows.SelectMany(row => _tests[row.Id]).Select(test => (test.File, test.Class, test.Method)).Distinct().Count();
            IEnumerable<int> counts = statuses.Select(status => rows.Count(row => row.Status == status));
            return $"| {title} | {rows.Count} | {string.Join(" | ", counts)} | {methods} |\n";
        }
    }

    private void WriteSection(StringBuilder text, ChecklistSection section)
    {
        text.Append($"## {section.Title}\n\n| row | the rule | what Mmu86 does | status | elsewhere |\n|---|---|---|---|---|\n");
        foreach (ChecklistRow row in section.Rows)
            text.Append($"| {row.Id} | {Cell($"{row.Rule} *{row.Source}*")} | {Cell(Deeds(row))} | {Words(row.Status)} | {Cell(Elsewhere(row))} |\n");
        text.Append("\nHeld by:\n\n");
        foreach (ChecklistRow row in section.Rows.Where(row => _tests.Contains(row.Id)))
            text.Append($"- **{row.Id}** {string.Join("; ", _tests[row.Id].GroupBy(test => (test.File, test.Class)).Select(Link))}\n");
        text.Append('\n');
    }

    private static string Deeds(ChecklistRow row) =>
        string.Join(' ', new[] { row.Choice, row.Missing is null ? null : $"**{(row.Status == RowStatus.NotOffered ? "Why not" : "Missing")}:** {row.Missing}", row.NothingToRefuse }.Where(part => part is not null));

    private static string Elsewhere(ChecklistRow row) => string.Join("; ", row.Peers.Select(peer => $"{peer.Key}: {peer.Value}"));

    private static string Link(IGrouping<(string File, string Class), RuleTest> tests)
    {
        string link = $"[{tests.Key.Class}](../{tests.Key.File})";
        IEnumerable<string> methods = tests.Where(test => test.Method is not null).Select(test => $"`{test.Method}`").Distinct();
        return $"{link} {string.Join(", ", methods)}".TrimEnd();
    }

    private static string Words(RowStatus status) => status switch
    {
        RowStatus.Kept => "kept",
        RowStatus.KeptInPart => "kept in part",
        RowStatus.NotOffered => "not offered",
        RowStatus.NotBuilt => "not built",
        _ => throw new ArgumentOutOfRangeException(nameof(status)),
    };

    private static string Cell(string text) => text.Replace("|", "\\|");

    private static string Repeat(string text, int times) => string.Concat(Enumerable.Repeat(text, times));

    // As the common renderers of Markdown make it from a heading.
    private static string Anchor(string title) =>
        string.Concat(title.ToLowerInvariant().Where(letter => char.IsLetterOrDigit(letter) || letter is ' ' or '-')).Replace(' ', '-');
}
