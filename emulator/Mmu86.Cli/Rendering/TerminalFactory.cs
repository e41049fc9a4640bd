using Mmu86.Cli.CommandLine;
using Spectre.Console;

namespace Mmu86.Cli.Rendering;

/// <summary>Makes the console for tables and progress on standard error: colour only on a terminal that wants it.</summary>
internal static class TerminalFactory
{
    // Tables of numbers are not cut to an old terminal's width: it wraps lines, which is easier to read than wrapped cells.
    private const int LeastWidth = 120;

    /// <summary>Whether the terminal knows no control sequences at all.</summary>
    public static bool IsDumb => Environment.GetEnvironmentVariable("TERM") == "dumb";

    /// <summary>The console.</summary>
    /// <param name="writer">Standard error as text; the caller's to flush.</param>
    /// <param name="streams">Knows whether it is a terminal.</param>
    public static IAnsiConsole Create(TextWriter writer, StandardStreams streams)
    {
        bool hasColour = streams.ErrorIsTerminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) && !IsDumb;
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = hasColour ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = hasColour ? ColorSystemSupport.EightBit : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        console.Profile.Width = Math.Max(console.Profile.Width, LeastWidth);
        return console;
    }
}
