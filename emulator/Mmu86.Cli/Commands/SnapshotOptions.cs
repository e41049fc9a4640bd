using System.CommandLine;
using System.Diagnostics;
using Mmu86.Cli.CommandLine;
using Mmu86.Hypervisor.Snapshots;
using Mmu86.Lab;
using Mmu86.Lab.Snapshots;
using Mmu86.Memory;

namespace Mmu86.Cli.Commands;

/// <summary>The options that keep a machine in a file and run on from there.</summary>
internal sealed class SnapshotOptions
{
    private readonly Option<string?> _snapshot = GuestOptions.Text("--snapshot", "FILE", "Keep the machine in FILE when --snapshot-at is reached, and run on");
    private readonly Option<string?> _at = GuestOptions.Text("--snapshot-at", "N", "Retired instructions after which --snapshot is taken, exactly");
    private readonly Option<string?> _restore = GuestOptions.Text("--restore", "FILE", "Run on from a snapshot, which has its program and machine in it");

    private SnapshotOptions()
    {
    }

    /// <summary>Adds them to a command.</summary>
    public static SnapshotOptions AddTo(Command command)
    {
        var options = new SnapshotOptions();
        command.Add(options._snapshot);
        command.Add(options._at);
        command.Add(options._restore);
        return options;
    }

    /// <summary>The snapshot to run on from; null for none.</summary>
    public string? RestoredFrom(ParseResult parsed) => parsed.GetValue(_restore);

    /// <summary>The option that was given first of them; null for none.</summary>
    public string? Given(ParseResult parsed) => parsed.GetValue(_snapshot) is not null ? "--snapshot"
        : parsed.GetValue(_at) is not null ? "--snapshot-at"
        : parsed.GetValue(_restore) is not null ? "--restore"
        : null;

    /// <summary>The snapshot that is to be taken.</summary>
    /// <returns>Null where none is wanted.</returns>
    /// <exception cref="UserErrorException">Status 64, or 74: the file cannot be written.</exception>
    public SnapshotRequest? Wanted(ParseResult parsed)
    {
        string? path = parsed.GetValue(_snapshot), at = parsed.GetValue(_at);
        if (path is null)
            return at is null ? null : throw UserErrorException.Usage("--snapshot-at: says when --snapshot FILE is taken, which is missing");
        if (at is null)
            throw UserErrorException.Usage("--snapshot: needs --snapshot-at N, after how many instructions it is taken");
        RequireWritable(path);
        return new SnapshotRequest(Values.Number("--snapshot-at", at), path);
    }

    /// <summary>Refuses a file that cannot be written, before anything runs.</summary>
    /// <exception cref="UserErrorException">Status 64 where it is standard output, 74 where it cannot be written.</exception>
    public static void RequireWritable(string path)
    {
        if (path == "-")
            throw UserErrorException.Usage("--snapshot: needs a file; standard output is for results");
        try
        {
            SnapshotFile.RequireWritable(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(ExitStatus.InputOutput, $"--snapshot: {path} cannot be written");
        }
    }

    /// <summary>What the run of a snapshot was asked for.</summary>
    /// <exception cref="UserErrorException">Status 65: it cannot be read, or is damaged.</exception>
    public static RunOptions ReadSaved(string path)
    {
        try
        {
            return GuestSnapshot.ReadOptions(path);
        }
        catch (SnapshotFileException exception)
        {
            throw Translate(exception);
        }
        catch (StateFormatException exception)
        {
            throw Translate(path, exception);
        }
    }

    /// <summary>The error that a user is told of.</summary>
    public static UserErrorException Translate(SnapshotFileException exception) => exception.Access switch
    {
        FileAccess.Write => new UserErrorException(ExitStatus.InputOutput, $"--snapshot: {exception.Message}"),
        FileAccess.ReadWrite => new UserErrorException(ExitStatus.InputOutput, $"--restore: {exception.Message}"),
        FileAccess.Read => new UserErrorException(ExitStatus.BadInput, $"--restore: {exception.Message}"),
        _ => throw new UnreachableException(),
    };

    /// <summary>The error that a user is told of.</summary>
    public static UserErrorException Translate(string path, StateFormatException exception) => new(ExitStatus.BadInput, $"--restore: {path}: {exception.Message}");
}
