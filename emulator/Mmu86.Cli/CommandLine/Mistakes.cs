using System.CommandLine;
using System.CommandLine.Parsing;
using Mmu86.Lab.Configuration;

namespace Mmu86.Cli.CommandLine;

/// <summary>Words that the parser would take or refuse in its own way, said in ours.</summary>
internal static class Mistakes
{
    /// <summary>The name of the argument that takes the guest's words.</summary>
    public const string GuestArguments = "ARGS";

    /// <summary>Refuses a command line that is wrong.</summary>
    /// <param name="parsed">What the parser made of it.</param>
    /// <param name="guestWords">The words after <c>--</c>.</param>
    /// <exception cref="UserErrorException">Status 64, with a suggestion where there is one.</exception>
    public static void Refuse(ParseResult parsed, string[] guestWords)
    {
        CommandResult command = parsed.CommandResult;
        string name = FullName(command);
        if (StrayOption(parsed) is string stray)
            throw UserErrorException.Usage(StrayMessage(stray, command.Command, name));
        if (ValueForgotten(command) is (string option, string value))
            throw UserErrorException.Usage($"{option}: '{value}' is an option, not a value; see '{name} --help'");
        if (command.Command.Subcommands.Count > 0 && command.Command.Action is null)
            throw UserErrorException.Usage(NoCommandMessage(parsed, command.Command, name));
        if (parsed.UnmatchedTokens.Count > 0)
            throw UserErrorException.Usage($"'{parsed.UnmatchedTokens[0]}' is one word too many; see '{name} --help'");
        if (guestWords.Length > 0 && !TakesGuestWords(command.Command))
            throw UserErrorException.Usage($"'{name}' runs no guest that could take '{guestWords[0]}'");
        if (command.Command.Arguments.FirstOrDefault(argument => IsMissing(command, argument)) is Argument missing)
            throw UserErrorException.Usage($"{missing.Name} is missing; see '{name} --help'");
        if (parsed.Errors.Count > 0)
            throw UserErrorException.Usage($"{parsed.Errors[0].Message.TrimEnd('.')}; see '{name} --help'");
    }

    private static bool TakesGuestWords(Command command) => command.Arguments.Any(argument => argument.Name == GuestArguments);

    private static bool IsMissing(CommandResult command, Argument argument) =>
        argument.Arity.MinimumNumberOfValues > 0 && command.GetResult(argument) is not { Tokens.Count: > 0 };

    // The parser hands unknown options to the next free argument. A value of an option may begin with '-', a word of ours may not.
    private static string? StrayOption(ParseResult parsed)
    {
        IEnumerable<string> taken = parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(argument => argument.Tokens).Select(token => token.Value);
        return taken.Concat(parsed.UnmatchedTokens).FirstOrDefault(word => word.StartsWith('-'));
    }

    // The parser takes whatever follows as the value, --quiet as the name of a file too.
    private static (string Option, string Value)? ValueForgotten(CommandResult command)
    {
        string[] names = [.. command.Command.Options.Select(option => option.Name)];
        foreach (OptionResult option in command.Children.OfType<OptionResult>())
        {
            if (option.Tokens.FirstOrDefault(token => names.Contains(token.Value)) is { } token)
                return (option.Option.Name, token.Value);
        }

        return null;
    }

    private static string StrayMessage(string word, Command command, string name)
    {
        string option = word.Split('=', ':')[0];
        string suggestion = Suggestion.Ending(option, command.Options.Select(o => o.Name));
        string guest = TakesGuestWords(command) ? $"{(suggestion.Length == 0 ? ";" : "")} a word for the guest goes after '--': {name} PROGRAM -- {word}" : "";
        return $"unknown option '{option}'{suggestion}{guest}{(suggestion.Length + guest.Length == 0 ? $"; see '{name} --help'" : "")}";
    }

    private static string NoCommandMessage(ParseResult parsed, Command command, string name)
    {
        string[] names = [.. command.Subcommands.Select(sub => sub.Name)];
        string there = $"there are {string.Join(", ", names)}; see '{name} --help'";
        return parsed.UnmatchedTokens.Count == 0
            ? $"a command is missing; {there}"
            : $"unknown command '{parsed.UnmatchedTokens[0]}'{(Suggestion.Nearest(parsed.UnmatchedTokens[0], names) is string near ? $"; did you mean '{near}'?" : $"; {there}")}";
    }

    private static string FullName(CommandResult command)
    {
        List<string> names = [];
        for (SymbolResult? result = command; result is CommandResult part; result = part.Parent)
            names.Insert(0, part.Parent is null ? "mmu86" : part.Command.Name);
        return string.Join(' ', names);
    }
}
