using System.CommandLine;
using System.CommandLine.Help;
using System.Runtime.InteropServices;
using Mmu86.Cli.Commands;
using Mmu86.GuestPrograms;
using Mmu86.Lab.Configuration;

namespace Mmu86.Cli.CommandLine;

/// <summary>From the words on the command line to an exit status.</summary>
internal static class Application
{
    /// <summary>Runs one command.</summary>
    /// <param name="words">The command line without the name of the program.</param>
    /// <returns>The exit status of the process.</returns>
    public static int Run(string[] words)
    {
        try
        {
            RequireSupportedHost();
            // What follows -- is the guest's: the parser never sees it.
            int dashes = Array.IndexOf(words, "--");
            string[] ours = dashes < 0 ? words : words[..dashes];
            string[] guestWords = dashes < 0 ? [] : words[(dashes + 1)..];
            ParseResult parsed = Build(guestWords).Parse(ours, new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null });
            if (!AsksForHelpOrVersion(parsed) && !LaterCommands.Has(parsed.CommandResult.Command.Name))
                Mistakes.Refuse(parsed, guestWords);
            return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (UserErrorException error)
        {
            return Fail(error.Status, error.Message);
        }
        catch (ConfigurationException error)
        {
            int status = error.Origin switch
            {
                ConfigurationOrigin.CommandLine => ExitStatus.Usage,
                ConfigurationOrigin.File => ExitStatus.BadInput,
                ConfigurationOrigin.NotYet => ExitStatus.Unavailable,
                _ => ExitStatus.Internal,
            };
            return Fail(status, error.Message);
        }
        catch (GuestArgumentException error)
        {
            return Fail(ExitStatus.Usage, error.Message);
        }
        catch (IOException error)
        {
            return Fail(ExitStatus.InputOutput, error.Message);
        }
        catch (Exception error)
        {
            return Fail(ExitStatus.Internal, $"internal error: {error}");
        }
    }

    private static RootCommand Build(string[] guestWords)
    {
        var root = new RootCommand("Runs x86-64 programs on an emulated processor whose every memory access goes through an emulated MMU, and reports what that cost.")
        {
            ListCommand.Create(),
            ShowCommand.Create(),
        };
        foreach (Command later in LaterCommands.Create())
            root.Add(later);
        // [suggest] and its like would swallow words of ours, and /h and /? are paths here.
        root.Directives.Clear();
        root.Options.Remove(root.Options.First(option => option is HelpOption));
        root.Add(new HelpOption("--help", "-h") { Description = "Show help and usage information" });
        return root;
    }

    private static bool AsksForHelpOrVersion(ParseResult parsed) => parsed.Action is not null && parsed.Action != parsed.CommandResult.Command.Action
        && parsed.Action is not System.CommandLine.Invocation.ParseErrorAction;

    private static void RequireSupportedHost()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            throw new UserErrorException(ExitStatus.Unavailable, $"needs Linux on x86-64; {RuntimeInformation.RuntimeIdentifier} has not been tested");
    }

    private static int Fail(int status, string message)
    {
        foreach (string line in message.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            Streams.Diagnose(line);
        return status;
    }
}
