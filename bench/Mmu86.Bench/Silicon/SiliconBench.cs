using System.Globalization;
using Mmu86.Bench.Curves;
using Mmu86.Bench.Reporting;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Pages;
using Mmu86.X86;

namespace Mmu86.Bench.Silicon;

/// <summary>The same curves on this computer's processor and on the preset for it, side by side.</summary>
internal sealed class SiliconBench : IDisposable
{
    private readonly HostProcessor _host = HostProcessor.Read();
    private readonly MachineDescription _machine;
    private readonly NativeCurve _native = new();
    private readonly IReadOnlyList<int> _pages;
    private readonly TextWriter _progress;
    private readonly List<PageSection> _sections = [];
    private readonly List<double> _nativeErrors = [];
    private readonly List<double> _nestedErrors = [];

    private SiliconBench(IReadOnlyList<int> pages, TextWriter progress)
    {
        _pages = pages;
        _progress = progress;
        _machine = MachineCatalogue.Preset(_host.Preset);
    }

    /// <summary><c>silicon [--html FILE] [--quick]</c>.</summary>
    public static void Run(CommandWords words, TextWriter output, TextWriter progress)
    {
        bool isQuick = words.TakeFlag("--quick");
        string? html = words.TakeValue("--html");
        words.End();
        double load = Computer.Load;
        using var bench = new SiliconBench(isQuick ? CurvePoints.QuickPages : CurvePoints.Pages, progress);
        output.WriteLine($"{Computer.Describe()}; load {load:0.0} before{(isQuick ? "; quick: not a measurement" : "")}");
        output.WriteLine();
        output.WriteLine($"{bench._host}. Cycles a step; a virtual machine has host pages of 4 KiB.");
        output.WriteLine();
        bench.Measure(output);
        if (html is not null)
        {
            File.WriteAllText(html, PageWriter.Write(new Page
            {
                Title = $"{bench._machine.Name} beside silicon",
                Facts = [new PageFact("Computer", Computer.Describe()), new PageFact("Processor", $"{bench._host}")],
                Answers = [$"The median error over all points is {bench.MedianErrors}."],
                Sections = bench._sections,
            }));
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _native.Dispose();

    private void Measure(TextWriter output)
    {
        Compare("line-chase, pages of 4 KiB", output, pages => _native.Chase(pages, PageSize.Size4K), (pages, paging) => EmulatedCurve.Chase(_machine, pages, PageSize.Size4K, paging));
        Compare("line-chase, pages of 2 MiB", output, pages => _native.Chase(pages, PageSize.Size2M), (pages, paging) => EmulatedCurve.Chase(_machine, pages, PageSize.Size2M, paging));
        Compare("jump-chain, stride 1", output, pages => _native.Chain(pages, 1), (pages, paging) => EmulatedCurve.Chain(_machine, pages, 1, paging));
        output.WriteLine($"Median error over all points: {MedianErrors}.");
    }

    private string MedianErrors => $"{Percent(Samples.Median(_nativeErrors))}, and {Percent(Samples.Median(_nestedErrors))} for the preset in a virtual machine";

    private void Compare(string title, TextWriter output, Func<int, double> measure, Func<int, PagingMode, double> emulate)
    {
        _progress.WriteLine(title);
        double[] host = [.. _pages.Select(measure)];
        double[] native = [.. _pages.Select(pages => emulate(pages, PagingMode.Native))];
        double[] nested = [.. _pages.Select(pages => emulate(pages, PagingMode.Nested))];
        double[] nativeErrors = Errors(host, native), nestedErrors = Errors(host, nested);
        _nativeErrors.AddRange(nativeErrors);
        _nestedErrors.AddRange(nestedErrors);
        output.WriteLine($"## {title}");
        output.WriteLine();
        string inside = $"{_machine.Name} in a virtual machine";
        var table = new MarkdownTable("pages", "silicon", _machine.Name, "error", inside, "error");
        for (int i = 0; i < _pages.Count; i++)
            table.Add($"{_pages[i]}", Number(host[i]), Number(native[i]), Percent(nativeErrors[i]), Number(nested[i]), Percent(nestedErrors[i]));
        table.Add("median", "", "", Percent(Samples.Median(nativeErrors)), "", Percent(Samples.Median(nestedErrors)));
        table.Write(output);
        output.WriteLine();

        var curves = new CurveTable(title, "cycles a step", _pages);
        curves.Add("silicon", [.. host.Select(value => (double?)value)]);
        curves.Add(_machine.Name, [.. native.Select(value => (double?)value)]);
        curves.Add(inside, [.. nested.Select(value => (double?)value)]);
        _sections.Add(curves.ToSection(
            $"The median error is {Percent(Samples.Median(nativeErrors))}, and {Percent(Samples.Median(nestedErrors))} for the preset in a virtual machine."));
    }

    private static double[] Errors(double[] host, double[] model) => [.. host.Zip(model, (real, modelled) => Math.Abs(modelled - real) / real)];

    private static string Number(double value) => value.ToString("0.0", CultureInfo.InvariantCulture);

    private static string Percent(double value) => value.ToString("0%", CultureInfo.InvariantCulture);
}
