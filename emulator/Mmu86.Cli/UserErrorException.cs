namespace Mmu86.Cli;

/// <summary>Ends a command with a status and one sentence (or one line an error) for the user.</summary>
internal sealed class UserErrorException(int status, string message) : Exception(message)
{
    /// <summary>The exit status.</summary>
    public int Status { get; } = status;

    /// <summary>Wrong usage.</summary>
    public static UserErrorException Usage(string message) => new(ExitStatus.Usage, message);

    /// <summary>Something that does not exist yet.</summary>
    public static UserErrorException NotYet(string message) => new(ExitStatus.Unavailable, message);
}
