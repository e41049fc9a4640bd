using System.CommandLine;
using System.CommandLine.Help;
using System.Runtime.InteropServices;
using Mmu86.Cli.Commands;
using Mmu86.GuestPrograms;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Swap;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Diagnostics;
using Mmu86.Lab.Sweeps.Traces;
using Mmu86.Loaders;

namespace Mmu86.Cli.CommandLine;

/// <summary>From the words on the command line to an exit status.</summary>
internal static class Application
{
    /// <summary>Runs one command.</summary>
    /// <param name="words">The command line without the name of the program.</param>
    /// <param name="streams">Where results and diagnostics go.</param>
    /// <returns>The exit status of the process.</returns>
    public static int Run(string[] words, StandardStreams streams)
    {
        try
        {
            RequireSupportedHost();
            // What follows -- is the guest's: the parser never sees it.
            int dashes = Array.IndexOf(words, "--");
            string[] ours = dashes < 0 ? words : words[..dashes];
            string[] guestWords = dashes < 0 ? [] : words[(dashes + 1)..];
            RootCommand root = Build(guestWords, streams);
            ParseResult parsed = root.Parse(CommandFirst(ours, root), new ParserConfiguration { EnablePosixBundling = false, ResponseFileTokenReplacer = null });
            if (!AsksForHelpOrVersion(parsed) && !LaterCommands.Has(parsed.CommandResult.Command.Name))
                Mistakes.Refuse(parsed, guestWords);
            using StreamWriter output = new(streams.Output, leaveOpen: true) { NewLine = "\n" };
            return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null, Output = output });
        }
        catch (UserErrorException error)
        {
            return Fail(streams, error.Status, error.Message);
        }
        catch (ConfigurationException error)
        {
            int status = error.Origin switch
            {
                ConfigurationOrigin.CommandLine => ExitStatus.Usage,
                ConfigurationOrigin.File => ExitStatus.BadInput,
                _ => ExitStatus.Internal,
            };
            return Fail(streams, status, error.Message);
        }
        catch (GuestArgumentException error)
        {
            return Fail(streams, ExitStatus.Usage, error.Message);
        }
        catch (MomentNotReachedException error)
        {
            return Fail(streams, ExitStatus.Usage, error.Message);
        }
        catch (ImageNotSupportedException error)
        {
            return Fail(streams, ExitStatus.Unavailable, error.Message);
        }
        catch (ImageFormatException error)
        {
            return Fail(streams, ExitStatus.BadInput, error.Message);
        }
        catch (TraceException error)
        {
            return Fail(streams, ExitStatus.BadInput, error.Message);
        }
        catch (SwapFileException error)
        {
            // With a cause, the operating system refused; else the scenario asks for what cannot be.
            return Fail(streams, error.InnerException is null ? ExitStatus.BadInput : ExitStatus.InputOutput, error.Message);
        }
        catch (HostMemoryExhaustedException error)
        {
            return Fail(streams, ExitStatus.Limit, error.Message);
        }
        catch (OutOfMemoryException)
        {
            return Fail(streams, ExitStatus.Unavailable, "the operating system refused so much memory; try a smaller --memory");
        }
        catch (IOException error)
        {
            return Fail(streams, ExitStatus.InputOutput, error.Message);
        }
        catch (Exception error)
        {
            return Fail(streams, ExitStatus.Internal, $"internal error: {error}");
        }
    }

    private static RootCommand Build(string[] guestWords, StandardStreams streams)
    {
        var root = new RootCommand("Runs x86-64 programs on an emulated processor whose every memory access goes through an emulated MMU, and reports what that cost.")
        {
            RunCommand.Create(guestWords, streams),
            InspectCommand.Create(guestWords, streams),
            ExplainCommand.Create(guestWords, streams),
            SweepCommand.Create(guestWords, streams),
            VmsCommand.Create(streams),
            ListCommand.Create(streams),
            ShowCommand.Create(streams),
        };
        foreach (Command later in LaterCommands.Create())
            root.Add(later);
        // [suggest] and its like would swallow words of ours, and /h and /? are paths here.
        root.Directives.Clear();
        root.Options.Remove(root.Options.First(option => option is HelpOption));
        root.Add(new HelpOption("--help", "-h") { Description = "Show help and usage information" });
        return root;
    }

    // Options may stand before the command too; the parser knows them behind it only.
    private static string[] CommandFirst(string[] words, RootCommand root)
    {
        ILookup<string, Option> options = root.Subcommands.SelectMany(command => command.Options).ToLookup(option => option.Name);
        int at = 0;
        while (at < words.Length && options[words[at].Split('=', ':')[0]].FirstOrDefault() is { } option)
            at += option.Arity.MaximumNumberOfValues > 0 && option.ValueType != typeof(bool) && words[at] == option.Name ? 2 : 1;
        bool isCommand = at > 0 && at < words.Length && root.Subcommands.Any(command => command.Name == words[at]);
        return isCommand ? [words[at], .. words[..at], .. words[(at + 1)..]] : words;
    }

    private static bool AsksForHelpOrVersion(ParseResult parsed) => parsed.Action is not null && parsed.Action != parsed.CommandResult.Command.Action
        && parsed.Action is not System.CommandLine.Invocation.ParseErrorAction;

    private static void RequireSupportedHost()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            throw new UserErrorException(ExitStatus.Unavailable, $"needs Linux on x86-64; {RuntimeInformation.RuntimeIdentifier} has not been tested");
    }

    private static int Fail(StandardStreams streams, int status, string message)
    {
        foreach (string line in message.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            streams.Diagnose(line.TrimEnd('.'));
        return status;
    }
}
