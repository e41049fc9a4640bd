using System.CommandLine;

namespace Mmu86.Cli.Commands;

/// <summary>Commands that are promised and not there yet: one sentence and a status, whatever their words are.</summary>
internal static class LaterCommands
{
    private static readonly (string Name, string Description)[] s_commands =
    [
        ("boot", "A Linux kernel in a virtual machine (not available yet)"),
        ("serve", "The web inspector on a loopback port (not available yet)"),
    ];

    /// <summary>All of them.</summary>
    public static IEnumerable<Command> Create()
    {
        foreach ((string name, string description) in s_commands)
        {
            var command = new Command(name, description) { TreatUnmatchedTokensAsErrors = false };
            command.SetAction(Refuse(name));
            yield return command;
        }
    }

    /// <summary>Whether a command is one of these.</summary>
    public static bool Has(string name) => s_commands.Any(command => command.Name == name);

    private static Func<ParseResult, int> Refuse(string name) => _ => throw UserErrorException.NotYet($"the command '{name}' is not available yet");
}
