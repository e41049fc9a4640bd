using System.Diagnostics;
using System.Globalization;
using Mmu86.Cli.CommandLine;
using Spectre.Console;

namespace Mmu86.Cli.Rendering;

/// <summary>One line on the terminal that says how far a run is. Nothing where standard error is no terminal, and nothing for short runs.</summary>
internal sealed class ProgressLine(string program, StandardStreams streams) : IProgress<ulong>, IDisposable
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

    /// <summary>Called between slices of the run, shown or not.</summary>
    public Action? Slice { get; init; }

    /// <summary>Whether a line may be shown at all.</summary>
    public bool IsWanted { get; init; }

    /// <inheritdoc/>
    public void Report(ulong value)
    {
        Slice?.Invoke();
        if (!IsWanted || _time.Elapsed < _next)
            return;
        _next = _time.Elapsed + s_interval;
        _writer ??= streams.ErrorWriter();
        _console ??= TerminalFactory.Create(_writer, streams);
        _writer.Write(EraseLine);
        _console.Write(new Text(string.Create(CultureInfo.InvariantCulture, $"{program}: {value / 1e6:N0} million instructions, {value / 1e6 / _time.Elapsed.TotalSeconds:F0} million a second")));
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
