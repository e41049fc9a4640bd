using System.CommandLine;
using System.Text;
using Mmu86.Cli.CommandLine;
using Mmu86.GuestPrograms;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Machines;

namespace Mmu86.Cli.Commands;

/// <summary><c>mmu86 list guests|machines|policies|scenarios</c>: what there is, one line each.</summary>
internal static class ListCommand
{
    private static readonly string[] s_kinds = ["guests", "machines", "policies", "scenarios"];

    // What a machine description may say for "replacement". Policies that reclaim memory come with the hypervisor.
    private static readonly (string Name, string Meaning)[] s_policies =
    [
        ("lru", "the entry used longest ago gives way"),
        ("treePlru", "tree pseudo-LRU: one bit a node points away from the last use; ways a power of two"),
        ("mru3Plru", "three tree-PLRU groups; a fill goes to the group after the one used last; ways three times a power of two"),
        ("fifo", "the entry filled longest ago gives way"),
        ("random", "any entry, by the seed"),
    ];

    /// <summary>The command.</summary>
    /// <param name="streams">Where the list goes.</param>
    public static Command Create(StandardStreams streams)
    {
        var kind = new Argument<string>("KIND") { Description = "guests, machines, policies or scenarios" };
        var command = new Command("list", "What there is, one line each") { kind };
        command.SetAction(parsed => List(parsed.GetRequiredValue(kind), streams));
        return command;
    }

    private static int List(string kind, StandardStreams streams)
    {
        switch (kind)
        {
            case "guests":
                Print(streams, GuestCatalogue.All.Select(guest => (Usage(guest, ""), guest.Question)));
                return ExitStatus.Success;
            case "machines":
                Print(streams, MachineCatalogue.Names.Select(name => (name, MachineCatalogue.Preset(name).Description)));
                return ExitStatus.Success;
            case "policies":
                Print(streams, s_policies);
                return ExitStatus.Success;
            case "scenarios":
                streams.Diagnose("there are no scenarios yet");
                return ExitStatus.Success;
            default:
                throw UserErrorException.Usage($"there is no list of '{kind}', only of {string.Join(", ", s_kinds)}{Suggestion.Ending(kind, s_kinds)}");
        }
    }

    /// <summary>A guest with its parameters, such as <c>pointer-chase [PAGES [STEPS]]</c>.</summary>
    /// <param name="guest">The guest.</param>
    /// <param name="suffix">What names one of its images, such as <c>@bare</c>; empty for the usual one.</param>
    public static string Usage(GuestProgram guest, string suffix) =>
        guest.Name + suffix + string.Concat(guest.Parameters.Select(parameter => $" [{parameter.Name}")) + new string(']', guest.Parameters.Count);

    private static void Print(StandardStreams streams, IEnumerable<(string Name, string Text)> lines)
    {
        (string Name, string Text)[] all = [.. lines];
        int width = all.Max(line => line.Name.Length);
        var text = new StringBuilder();
        foreach ((string name, string meaning) in all)
            text.Append(name.PadRight(width)).Append("  ").Append(meaning).Append('\n');
        streams.Print(text.ToString());
    }
}
