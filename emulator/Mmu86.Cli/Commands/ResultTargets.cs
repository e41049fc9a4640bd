using System.CommandLine;
using Mmu86.Cli.CommandLine;

namespace Mmu86.Cli.Commands;

/// <summary>The options that say where a command's result goes.</summary>
internal sealed class ResultTargetOptions
{
    private readonly Option<string?> _json = GuestOptions.Text("--json", "FILE|-", "Write the result as JSON; with '-' it alone is on standard output");
    private readonly Option<string?> _csv = GuestOptions.Text("--csv", "FILE|-", "Write the rows as CSV");
    private readonly Option<string?> _html = GuestOptions.Text("--html", "FILE", "Write one self-contained page with charts");

    private ResultTargetOptions()
    {
    }

    /// <summary>Adds them to a command.</summary>
    public static ResultTargetOptions AddTo(Command command)
    {
        var options = new ResultTargetOptions();
        command.Add(options._json);
        command.Add(options._csv);
        command.Add(options._html);
        return options;
    }

    /// <summary>Opens them before anything runs.</summary>
    /// <exception cref="UserErrorException">Status 64 or 74.</exception>
    public ResultTargets Open(ParseResult parsed, StandardStreams streams)
    {
        string? json = parsed.GetValue(_json);
        string? csv = parsed.GetValue(_csv);
        if (json == "-" && csv == "-")
            throw UserErrorException.Usage("--json and --csv: only one of them can be standard output");
        ResultTargets targets = new();
        try
        {
            targets.Json = ReportTarget.Open("--json", json, streams);
            targets.Csv = ReportTarget.Open("--csv", csv, streams);
            targets.Html = ReportTarget.Open("--html", parsed.GetValue(_html), streams);
            return targets;
        }
        catch
        {
            targets.Dispose();
            throw;
        }
    }
}

/// <summary>Where a command's result goes.</summary>
internal sealed class ResultTargets : IDisposable
{
    /// <summary>As JSON.</summary>
    public ReportTarget? Json { get; set; }

    /// <summary>As CSV.</summary>
    public ReportTarget? Csv { get; set; }

    /// <summary>As a page.</summary>
    public ReportTarget? Html { get; set; }

    /// <summary>Whether one of them is standard output, where nothing else may go then.</summary>
    public bool UseStandardOutput => Json is { IsStandardOutput: true } || Csv is { IsStandardOutput: true } || Html is { IsStandardOutput: true };

    /// <summary>Writes the result to each.</summary>
    /// <exception cref="UserErrorException">Status 74.</exception>
    public void Write(Func<string> json, Func<string> csv, Func<string> page)
    {
        Write(Json, json);
        Write(Csv, csv);
        Write(Html, page);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Json?.Dispose();
        Csv?.Dispose();
        Html?.Dispose();
    }

    private static void Write(ReportTarget? target, Func<string> text)
    {
        if (target is null)
            return;
        target.Write(text());
        target.Complete();
    }
}
