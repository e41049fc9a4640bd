using System.Text;

namespace Mmu86.Cli.CommandLine;

/// <summary>Standard output and standard error as UTF-8, written when a command has something whole to say.</summary>
internal static class Streams
{
    /// <summary>Writes a text to standard output.</summary>
    /// <exception cref="UserErrorException">It cannot be written.</exception>
    public static void Output(string text)
    {
        try
        {
            using Stream stream = Console.OpenStandardOutput();
            stream.Write(Encoding.UTF8.GetBytes(text));
        }
        catch (IOException)
        {
            throw new UserErrorException(ExitStatus.InputOutput, "standard output cannot be written");
        }
    }

    /// <summary>Writes one diagnostic line, <c>mmu86: ...</c>, to standard error. Where even that fails nobody is left to be told.</summary>
    public static void Diagnose(string line)
    {
        try
        {
            using Stream stream = Console.OpenStandardError();
            stream.Write(Encoding.UTF8.GetBytes($"mmu86: {line}\n"));
        }
        catch (IOException)
        {
        }
    }
}
