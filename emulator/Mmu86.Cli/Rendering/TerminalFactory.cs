using Mmu86.Cli.CommandLine;
using Spectre.Console;

namespace Mmu86.Cli.Rendering;

/// <summary>Makes the console for tables and progress on standard error: colour only on a terminal that wants it.</summary>
internal static class TerminalFactory
{
    // Where nobody has a width, tables shall not be cut to that of an old terminal.
    private const int WidthOfFiles = 160;

    /// <summary>The console.</summary>
    /// <param name="writer">Standard error as text; the caller's to flush.</param>
    /// <param name="streams">Knows whether it is a terminal.</param>
    public static IAnsiConsole Create(TextWriter writer, StandardStreams streams)
    {
        bool hasColour = streams.ErrorIsTerminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) && Environment.GetEnvironmentVariable("TERM") != "dumb";
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = hasColour ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = hasColour ? ColorSystemSupport.EightBit : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        if (!streams.ErrorIsTerminal)
            console.Profile.Width = WidthOfFiles;
        return console;
    }
}
