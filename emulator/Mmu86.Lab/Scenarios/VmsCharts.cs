using System.Globalization;
using Mmu86.Lab.Pages;
using static Mmu86.Lab.Scenarios.VmsWords;

namespace Mmu86.Lab.Scenarios;

/// <summary>The charts of a scenario's time line. A quantity that is 0 throughout has none.</summary>
internal static class VmsCharts
{
    // Lines that a reader can still tell apart; what is beyond them is one more.
    private const int MostLines = 6;
    private const int MostTableRows = 100;
    private const double FramesPerMebibyte = 256;
    private const double BytesPerMebibyte = 1 << 20;

    // What a machine's frames can be, each with the sentence that introduces it.
    private static readonly (string Title, Func<VmsMachineMoment, ulong?> Frames)[] s_states =
    [
        ("Resident memory", machine => machine.Resident),
        ("Shared memory", machine => machine.Shared),
        ("Ballooned memory", machine => machine.Ballooned),
        ("Swapped memory", machine => machine.Swapped),
    ];

    /// <summary>The sections: the host, its machines' memory, what they did.</summary>
    public static IEnumerable<PageSection> Sections(VmsReport report)
    {
        IReadOnlyList<VmsMoment> moments = report.Timeline;
        yield return new PageSection(
            "The host", "The ground behind free memory shows when the host was short of it: soft, hard or low. Where it is plain the state was high.", [Free(report)], []);

        LineChart[] memory = [.. s_states.Select(state => Course(report, state.Title, "MiB", LineStyle.Course, moments, Levels(report, state.Frames))).OfType<LineChart>()];
        yield return new PageSection("Where each machine's memory was", "", memory, []);

        List<LineSeries> traffic = [];
        AddTotal(traffic, report, "from swap", machine => machine.SwapInBytes, BytesPerMebibyte * 1e-9);
        AddTotal(traffic, report, "to swap", machine => machine.SwapOutBytes, BytesPerMebibyte * 1e-9);
        LineChart[] work =
        [
            .. new[]
            {
                Course(report, "Instructions", "million a second", LineStyle.Course, moments, Rates(report, machine => machine.Instructions, 1e-3)),
                Course(report, "Swap traffic of all machines", "MiB a second", LineStyle.Course, moments, traffic),
                Course(report, "Pages from swap", "MiB a second", LineStyle.Course, moments, Rates(report, machine => machine.SwapInBytes, BytesPerMebibyte * 1e-9)),
                Course(report, "Pages given on a fault, fresh or from swap", "a millisecond", LineStyle.Course, moments, Rates(report, machine => machine.Faults, 1e-6)),
            }.OfType<LineChart>(),
        ];
        yield return new PageSection("What the machines did", "Rates are over the virtual time between two moments of the time line.", work, []);
    }

    private static LineChart Free(VmsReport report)
    {
        IReadOnlyList<VmsMoment> moments = report.Timeline;
        double least = moments.Count == 0 ? 0 : moments.Min(moment => moment.Free) / FramesPerMebibyte;
        ulong end = moments.Count == 0 ? 0 : moments[^1].Time;
        string[] shortages = [.. new[] { "soft", "hard", "low" }.Where(state => moments.Any(moment => moment.State == state))];
        return new LineChart
        {
            Title = "Free memory of the host",
            Summary = $"Free memory of the host over {Milliseconds(end)} virtual milliseconds: {Brief(least)} MiB at least; "
                + (shortages.Length == 0 ? "the state was always high." : $"the state was also {string.Join(", ", shortages)}."),
            X = Time,
            Y = new ChartAxis("MiB", ValueFormat.Number, AxisScale.Linear),
            Style = LineStyle.Course,
            Series = [new LineSeries("free", [.. moments.Select(moment => new ChartPoint(moment.Time / 1e6, moment.Free / FramesPerMebibyte))])],
            Bands = [.. Bands(moments)],
            Table = new DataTable(
                Caption(moments.Count),
                [new("ms", DataColumnKind.Number), new("free MiB", DataColumnKind.Number), new("state", DataColumnKind.Text)],
                [.. Sampled(moments.Count).Select(i => (IReadOnlyList<string>)[Milliseconds(moments[i].Time), Brief(moments[i].Free / FramesPerMebibyte), moments[i].State])]),
        };
    }

    // What the state was at a moment it was up to the next one.
    private static IEnumerable<ChartBand> Bands(IReadOnlyList<VmsMoment> moments)
    {
        for (int from = 0; from + 1 < moments.Count;)
        {
            int to = from + 1;
            while (to + 1 < moments.Count && moments[to].State == moments[from].State)
                to++;
            BandTone? tone = moments[from].State switch
            {
                "soft" => BandTone.Notice,
                "hard" => BandTone.Warning,
                "low" => BandTone.Alarm,
                _ => null,
            };
            if (tone is { } seen)
                yield return new ChartBand(moments[from].Time / 1e6, moments[to].Time / 1e6, moments[from].State, seen);
            from = to;
        }
    }

    private static ChartAxis Time => new("virtual ms", ValueFormat.Number, AxisScale.Linear);

    // Null where there is nothing to see.
    private static LineChart? Course(VmsReport report, string title, string unit, LineStyle style, IReadOnlyList<VmsMoment> moments, IReadOnlyList<LineSeries> lines)
    {
        LineSeries[] drawn = [.. lines.Where(line => line.Points.Any(point => point.Y != 0))];
        if (drawn.Length == 0)
            return null;
        LineSeries most = drawn.MaxBy(line => line.Points.Max(point => point.Y))!;
        int points = most.Points.Count;
        return new LineChart
        {
            Title = $"{title}, {unit}",
            Summary = $"{title} over {Milliseconds(moments[^1].Time)} virtual milliseconds: at most {Brief(most.Points.Max(point => point.Y))} {unit}, of {most.Name}.",
            X = Time,
            Y = new ChartAxis(unit, ValueFormat.Number, AxisScale.Linear),
            Style = style,
            Series = drawn,
            Table = new DataTable(
                Caption(points),
                [.. drawn.Select(line => line.Name).Prepend("ms").Select(name => new DataColumn(name, DataColumnKind.Number))],
                [.. Sampled(points).Select(i => (IReadOnlyList<string>)[most.Points[i].X.ToString("N1", CultureInfo.InvariantCulture), .. drawn.Select(line => Brief(line.Points[i].Y))])]),
        };
    }

    private static IReadOnlyList<LineSeries> Levels(VmsReport report, Func<VmsMachineMoment, ulong?> frames) =>
        Lines(report, index => [.. report.Timeline.Select(moment => new ChartPoint(moment.Time / 1e6, (frames(moment.Machines[index]) ?? 0) / FramesPerMebibyte))]);

    private static IReadOnlyList<LineSeries> Rates(VmsReport report, Func<VmsMachineMoment, ulong> count, double unit) =>
        Lines(report, index => Rate(report.Timeline, moment => count(moment.Machines[index]), unit));

    private static void AddTotal(List<LineSeries> lines, VmsReport report, string name, Func<VmsMachineMoment, ulong> count, double unit) => lines.Add(new LineSeries(
        name, Rate(report.Timeline, moment => moment.Machines.Aggregate(0UL, (sum, machine) => sum + count(machine)), unit)));

    // unit is what one of the axis's unit is in counts of a nanosecond.
    private static ChartPoint[] Rate(IReadOnlyList<VmsMoment> moments, Func<VmsMoment, ulong> count, double unit) =>
    [
        .. Enumerable.Range(1, Math.Max(0, moments.Count - 1)).Select(i => new ChartPoint(
            moments[i].Time / 1e6, (count(moments[i]) - count(moments[i - 1])) / (double)(moments[i].Time - moments[i - 1].Time) / unit)),
    ];

    // The machines that have most at some moment have lines of their own, in the order of the report; the others are one.
    private static IReadOnlyList<LineSeries> Lines(VmsReport report, Func<int, ChartPoint[]> pointsOf)
    {
        ChartPoint[][] all = [.. Enumerable.Range(0, report.Machines.Count).Select(pointsOf)];
        HashSet<int> own = all.Length <= MostLines + 1
            ? [.. Enumerable.Range(0, all.Length)]
            : [.. Enumerable.Range(0, all.Length).OrderByDescending(index => all[index].Length == 0 ? 0 : all[index].Max(point => point.Y)).Take(MostLines)];
        List<LineSeries> lines = [.. Enumerable.Range(0, all.Length).Where(own.Contains).Select(index => new LineSeries(Printable(report.Machines[index].Name), all[index]))];
        ChartPoint[][] others = [.. Enumerable.Range(0, all.Length).Where(index => !own.Contains(index)).Select(index => all[index])];
        if (others.Length > 0)
            lines.Add(new LineSeries($"{Number((ulong)others.Length)} others together", [.. others[0].Select((point, i) => point with { Y = others.Sum(line => line[i].Y) })]));
        return lines;
    }

    private static IEnumerable<int> Sampled(int count)
    {
        int step = Step(count);
        return Enumerable.Range(0, count).Where(index => index % step == 0 || index == count - 1);
    }

    private static int Step(int count) => Math.Max(1, (count + MostTableRows - 1) / MostTableRows);

    private static string Caption(int count) => Step(count) == 1 ? "Each moment" : $"Every {Number((ulong)Step(count))}th moment; --csv and --json have all";
}
