using System.Text;
using Spectre.Console;

namespace Mmu86.Cli.Rendering;

/// <summary>Makes the console for tables and progress on standard error: colour only on a terminal that wants it.</summary>
internal static class TerminalFactory
{
    // Where nobody has a width, tables shall not be cut to that of an old terminal.
    private const int WidthOfFiles = 160;

    /// <summary>Whether standard error is a terminal.</summary>
    public static bool IsTerminal => !Console.IsErrorRedirected;

    /// <summary>The console. The writer is the caller's to flush.</summary>
    public static IAnsiConsole Create(TextWriter writer)
    {
        bool hasColour = IsTerminal && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR")) && Environment.GetEnvironmentVariable("TERM") != "dumb";
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = hasColour ? AnsiSupport.Yes : AnsiSupport.No,
            ColorSystem = hasColour ? ColorSystemSupport.EightBit : ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        if (!IsTerminal)
            console.Profile.Width = WidthOfFiles;
        return console;
    }

    /// <summary>Standard error as text.</summary>
    public static StreamWriter OpenError() => new(Console.OpenStandardError(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { NewLine = "\n" };
}
