using Mmu86.Cli.CommandLine;
using Mmu86.Lab.Sweeps;

namespace Mmu86.Cli.Rendering;

/// <summary>A sweep's result on standard output, for people.</summary>
internal static class SweepTable
{
    /// <summary>Writes it.</summary>
    /// <exception cref="IOException">Standard output cannot be written.</exception>
    public static void Write(SweepResult result, StandardStreams streams)
    {
        using var text = new StringWriter();
        SweepView.Write(TerminalFactory.Create(text, streams), result);
        // Tables pad their last column; nobody wants that in a file.
        streams.Print(string.Concat(text.ToString().TrimEnd('\n').Split('\n').Select(line => line.TrimEnd() + "\n")));
    }
}
