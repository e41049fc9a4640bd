using System.Diagnostics;
using System.Globalization;
using Mmu86.Cli.CommandLine;
using Mmu86.Lab.Sweeps;
using Spectre.Console;

namespace Mmu86.Cli.Rendering;

/// <summary>One line on the terminal that says how far a run is. Nothing where standard error is no terminal, and nothing for short runs.</summary>
internal sealed class ProgressLine(string program, StandardStreams streams) : IProgress<ulong>, IProgress<SweepProgress>, IDisposable
{
    // Short enough that nobody wonders, long enough that most runs never show it.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(200);

    // To the writer itself: a console without colour, as NO_COLOR asks for, would leave it out and lines would pile up.
    private const string EraseLine = "\r\u001b[K";

    private readonly Stopwatch _time = Stopwatch.StartNew();
    private TimeSpan _next = s_patience;
    private StreamWriter? _writer;
    private IAnsiConsole? _console;
    private bool _isShown;
    private int _pass;
    private TimeSpan _passStart;

    /// <summary>Called between slices of the run, shown or not.</summary>
    public Action? Slice { get; init; }

    /// <summary>Whether a line may be shown at all.</summary>
    public bool IsWanted { get; init; }

    /// <inheritdoc/>
    public void Report(ulong value)
    {
        if (IsDue)
            Show($"{value / 1e6:N0} million instructions, {value / 1e6 / _time.Elapsed.TotalSeconds:F0} million a second");
    }

    /// <inheritdoc/>
    public void Report(SweepProgress value)
    {
        if (!IsDue)
            return;
        if (value.Pass != _pass)
        {
            _pass = value.Pass;
            _passStart = _time.Elapsed;
        }

        double done = value.TotalInstructions is ulong total && total > 0 ? Math.Min(1, (double)value.Instructions / total) : 0;
        string left = done > 0
            ? $", {Duration((_time.Elapsed - _passStart) / done * (value.Passes - value.Pass + 1 - done))} left"
            : "";
        Show($"run {value.Pass} of {value.Passes}, {value.Instructions / 1e6:N0} million instructions{(done > 0 ? $" ({done:P0})" : "")}{left}");
    }

    private static string Duration(TimeSpan time) => time.TotalHours >= 1
        ? string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours} h {time.Minutes} min")
        : time.TotalMinutes >= 1 ? string.Create(CultureInfo.InvariantCulture, $"{time.Minutes} min {time.Seconds} s") : string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(time.TotalSeconds)} s");

    private bool IsDue
    {
        get
        {
            Slice?.Invoke();
            return IsWanted && _time.Elapsed >= _next;
        }
    }

    private void Show(FormattableString text)
    {
        _next = _time.Elapsed + s_interval;
        _writer ??= streams.ErrorWriter();
        _console ??= TerminalFactory.Create(_writer, streams);
        _writer.Write(EraseLine);
        _console.Write(new Text($"{program}: {text.ToString(CultureInfo.InvariantCulture)}"));
        _writer.Flush();
        _isShown = true;
    }

    /// <summary>Takes the line away, for somebody else to write.</summary>
    public void Hide()
    {
        if (!_isShown)
            return;
        _isShown = false;
        _writer!.Write(EraseLine);
        _writer.Flush();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Hide();
        _writer?.Dispose();
    }
}
