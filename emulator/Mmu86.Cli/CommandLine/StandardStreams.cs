using System.Text;

namespace Mmu86.Cli.CommandLine;

/// <summary>Standard output and standard error, as bytes and as UTF-8.</summary>
/// <param name="output">Standard output.</param>
/// <param name="error">Standard error.</param>
internal sealed class StandardStreams(Stream output, Stream error)
{
    /// <summary>Results, and the guest's own output.</summary>
    public Stream Output { get; } = output;

    /// <summary>Diagnostics, progress and reports for people.</summary>
    public Stream Error { get; } = error;

    /// <summary>Whether <see cref="Error"/> is a terminal.</summary>
    public bool ErrorIsTerminal { get; private init; }

    /// <summary>Those of this process.</summary>
    public static StandardStreams OfProcess() =>
        new(new DescriptorStream(1), new DescriptorStream(2)) { ErrorIsTerminal = !Console.IsErrorRedirected };

    /// <summary>Writes a text to standard output.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public void Print(string text)
    {
        try
        {
            Output.Write(Encoding.UTF8.GetBytes(text));
            Output.Flush();
        }
        catch (IOException exception)
        {
            throw new IOException("standard output cannot be written", exception);
        }
    }

    /// <summary>Writes one diagnostic line, <c>mmu86: ...</c>, to standard error. Where even that fails nobody is left to be told.</summary>
    public void Diagnose(string line)
    {
        try
        {
            Error.Write(Encoding.UTF8.GetBytes($"mmu86: {line}\n"));
            Error.Flush();
        }
        catch (IOException)
        {
        }
    }

    /// <summary>Standard error for tables; the caller disposes the writer, which leaves the stream open.</summary>
    public StreamWriter ErrorWriter() => new(Error, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), leaveOpen: true) { NewLine = "\n" };
}
