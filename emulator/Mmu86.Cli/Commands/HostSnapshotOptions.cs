using System.CommandLine;
using Mmu86.Cli.CommandLine;
using Mmu86.Lab.Scenarios;

namespace Mmu86.Cli.Commands;

/// <summary>The options that keep a whole host in a file and run on from there.</summary>
internal sealed class HostSnapshotOptions
{
    private readonly Option<string?> _snapshot = GuestOptions.Text("--snapshot", "FILE", "Keep the whole host in FILE when --snapshot-at is reached, and run on");
    private readonly Option<string?> _at = GuestOptions.Text("--snapshot-at", "TIME", "Virtual time, such as 500000 (ns), 20ms or 1s: --snapshot is taken at the first barrier there or behind it");
    private readonly Option<string?> _restore = GuestOptions.Text("--restore", "FILE", "Run on from a snapshot that was taken of the same scenario with the same options");

    private HostSnapshotOptions()
    {
    }

    /// <summary>Adds them to a command.</summary>
    public static HostSnapshotOptions AddTo(Command command)
    {
        var options = new HostSnapshotOptions();
        command.Add(options._snapshot);
        command.Add(options._at);
        command.Add(options._restore);
        return options;
    }

    /// <summary>The snapshot to run on from; null for none.</summary>
    public string? RestoredFrom(ParseResult parsed) => parsed.GetValue(_restore);

    /// <summary>The snapshot that is to be taken.</summary>
    /// <returns>Null where none is wanted.</returns>
    /// <exception cref="UserErrorException">Status 64, or 74: the file cannot be written.</exception>
    public ScenarioSnapshotRequest? Wanted(ParseResult parsed)
    {
        string? path = parsed.GetValue(_snapshot), at = parsed.GetValue(_at);
        if (path is null)
            return at is null ? null : throw UserErrorException.Usage("--snapshot-at: says when --snapshot FILE is taken, which is missing");
        if (at is null)
            throw UserErrorException.Usage("--snapshot: needs --snapshot-at TIME, the virtual time at which it is taken");
        ulong nanoseconds = Values.VirtualTime("--snapshot-at", at);
        SnapshotOptions.RequireWritable(path);
        return new ScenarioSnapshotRequest(nanoseconds, path);
    }
}
