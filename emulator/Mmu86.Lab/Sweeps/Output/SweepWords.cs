using System.Globalization;
using System.Text;

namespace Mmu86.Lab.Sweeps.Output;

/// <summary>How a sweep's result is put in words, the same on the terminal and on the page.</summary>
public static class SweepWords
{
    private const double BytesPerMebibyte = 1 << 20;

    /// <summary>An integer with its thousands divided.</summary>
    public static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>A number with two digits behind the point.</summary>
    public static string Fixed(double value) => value.ToString("N2", CultureInfo.InvariantCulture);

    /// <summary>A ratio in percent, with some three digits that mean something.</summary>
    public static string Percent(double ratio) => Math.Abs(ratio * 100) switch
    {
        0 => "0%",
        < 0.001 => "<0.001%",
        < 1 => (ratio * 100).ToString("F3", CultureInfo.InvariantCulture) + "%",
        < 10 => (ratio * 100).ToString("F2", CultureInfo.InvariantCulture) + "%",
        _ => (ratio * 100).ToString("F1", CultureInfo.InvariantCulture) + "%",
    };

    /// <summary>The part that something is of all, in percent; a dash of nothing.</summary>
    public static string Share(long part, long all) => all == 0 ? "-" : Percent((double)part / all);

    /// <summary>The name of a page size: <c>4 KiB pages</c>.</summary>
    public static string PageSize(string? size) => size switch
    {
        "4k" => "4 KiB pages",
        "2m" => "2 MiB pages",
        "1g" => "1 GiB pages",
        null => "all page sizes",
        _ => size,
    };

    /// <summary>Structure and page size of a row.</summary>
    public static string Structure(SweepRow row) => $"{Printable(row.Structure)}, {PageSize(row.PageSize)}";

    /// <summary>What the members of a family of arrays have in common.</summary>
    public static string ArrayFamily(SweepRow row) =>
        string.Join(", ", new[] { Structure(row), row.Replacement?.ToUpperInvariant(), row.Hash is null ? null : $"{row.Hash} index", $"{row.Paging} paging" }
            .OfType<string>().Select(Printable));

    /// <summary>The geometry of a row, or what it sets where it is not one array.</summary>
    public static string Configuration(SweepRow row)
    {
        if (row.Entries is not long entries)
            return Printable(row.Settings ?? "the base machine");
        string ways = row.Ways == 1 ? "1 way" : $"{row.Ways} ways";
        string geometry = row.Sets == 1 ? $"fully associative, {Number(entries)} entries" : $"{row.Sets} sets of {ways}, {Number(entries)} entries";
        return entries == 0 ? "unbounded" : geometry;
    }

    /// <summary>The same in few letters, for charts: of each setting's path the array and the last name remain.</summary>
    public static string ShortConfiguration(SweepRow row)
    {
        if (row.Entries is not null || row.Settings is null)
            return Configuration(row);
        return Printable(string.Join(", ", row.Settings.Split(' ').Select(Shorten)));
    }

    /// <summary>What ran: program and arguments.</summary>
    public static string Program(SweepResult result) =>
        Printable(result.Program.Arguments.Count == 0 ? result.Program.Name : $"{result.Program.Name} {string.Join(' ', result.Program.Arguments)}");

    /// <summary>What a reader must know before believing a number.</summary>
    public static IReadOnlyList<string> Cautions(SweepResult result)
    {
        List<string> cautions = [];
        if (!result.IsComplete)
            cautions.Add("The sweep was interrupted: these rows are what was done so far.");
        if (result.Shard is string shard)
            cautions.Add($"This is shard {Printable(shard)} of a sweep, not the whole.");
        if (result.Exit is { Kind: not Reports.ExitKind.Exited } exit)
            cautions.Add($"The base run ended early: {Printable(exit.Detail ?? exit.Kind.ToString().ToLowerInvariant())}.");
        if (result.Assumption is string assumption)
            cautions.Add($"The rows assume the base run, and may differ from direct simulation: {Printable(assumption)}.");
        return cautions;
    }

    /// <summary>The answers that the rows give, one sentence each.</summary>
    public static IReadOnlyList<string> Answers(SweepResult result)
    {
        List<string> answers = [];
        if (result.SmallestNearBest is SweepRow smallest)
            answers.Add(Smallest(result, smallest));
        else if (result.Rows.Where(row => row.WalkCycles is not null).MinBy(row => row.WalkCycles) is SweepRow cheapest)
            answers.Add($"The fewest walk cycles, {Number(cheapest.WalkCycles!.Value)}, has: {Configuration(cheapest)} ({cheapest.Paging} paging).");
        if (result.Misses is { } misses)
        {
            MissClassCounts total = misses.Total;
            answers.Add($"The base machine missed {Number(total.Total)} times: {Share(total.Compulsory, total.Total)} compulsory, {Share(total.Capacity, total.Total)} capacity, {Share(total.Conflict, total.Total)} conflict, {Share(total.Invalidation, total.Total)} invalidation.");
            answers.Add($"With 2 MiB pages {Number(misses.MissesWith2MPages)} of these misses would remain ({Share(misses.MissesWith2MPages, total.Total)}).");
        }

        if (result.WorkingSet.Count > 0)
        {
            long most = result.WorkingSet.Max(sample => sample.DataPages4K);
            double mean = result.WorkingSet.Average(sample => sample.DataPages4K);
            answers.Add(string.Create(CultureInfo.InvariantCulture, $"The working set of data is {mean:N0} pages of 4 KiB on average and {most:N0} at most ({most * 4096 / BytesPerMebibyte:N1} MiB), in intervals of some {Interval(result):N0} instructions."));
        }

        return answers;
    }

    /// <summary>A text without characters that move a cursor or break a line: they become U+FFFD.</summary>
    public static string Printable(string text)
    {
        if (!text.Any(IsUnprintable))
            return text;
        var printable = new StringBuilder(text.Length);
        foreach (char character in text)
            printable.Append(IsUnprintable(character) ? '\uFFFD' : character);
        return printable.ToString();
    }

    private static string Shorten(string setting)
    {
        int equals = setting.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0)
            return setting;
        string path = setting[..equals];
        string last = path[(path.LastIndexOf('.') + 1)..];
        int open = path.LastIndexOf('[');
        int close = path.LastIndexOf(']');
        return open >= 0 && open < close ? $"{path[(open + 1)..close]} {last} {setting[(equals + 1)..]}" : $"{last} {setting[(equals + 1)..]}";
    }

    private static bool IsUnprintable(char character) => char.IsControl(character) || character is '\u2028' or '\u2029';

    private static long Interval(SweepResult result) => result.WorkingSet[^1].Instructions / result.WorkingSet.Count;

    private static string Smallest(SweepResult result, SweepRow smallest)
    {
        SweepRow best = result.Rows
            .Where(row => row.Entries is not null && row.Structure == smallest.Structure && row.PageSize == smallest.PageSize && row.Paging == smallest.Paging)
            .MinBy(row => row.MissRatio) ?? smallest;
        return $"The smallest configuration within 1 percent of the best: {Structure(smallest)}, {Configuration(smallest)}: {Percent(smallest.MissRatio)} of lookups miss. The best of the grid misses {Percent(best.MissRatio)} ({Configuration(best)}).";
    }
}
