using System.CommandLine;
using System.Text;
using Mmu86.Cli.CommandLine;
using Mmu86.GuestPrograms;
using Mmu86.Hypervisor.Replacement;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Scenarios;

namespace Mmu86.Cli.Commands;

/// <summary><c>mmu86 list guests|machines|policies|scenarios</c>: what there is, one line each; machines and policies in two tables.</summary>
internal static class ListCommand
{
    private static readonly string[] s_kinds = ["guests", "machines", "policies", "scenarios"];

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
                PrintMachines(streams);
                return ExitStatus.Success;
            case "policies":
                streams.Print("Entries of TLBs, in a machine description:\n");
                Print(streams, ReplacementPolicy.All.Select(policy => (policy.Name, policy.Meaning)));
                streams.Print("\nPages of guests, 'policy.replacement' of a scenario:\n");
                Print(streams, PageReplacement.All.Select(policy => (policy.Name, policy.Meaning)));
                return ExitStatus.Success;
            case "scenarios":
                Print(streams, ScenarioCatalogue.Names.Select(name => (name, ScenarioJson.DescriptionOf(ScenarioCatalogue.Find(name)))));
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

    private static void PrintMachines(StandardStreams streams)
    {
        MachineDescription[] machines = [.. MachineCatalogue.Names.Select(MachineCatalogue.Preset)];
        var text = new StringBuilder();
        text.Append("TLBs: entries/ways, fa fully associative, any without bound, c coalesces pages;\npg the largest page\n");
        Append(text, MachineComparison.Tlbs(machines));
        text.Append("\nEntries of walk caches (PML5E PML4E PDPTE PDE) and of the nested TLB; caches of\n");
        text.Append("memory and their cycles, memory's last; what a hit of the second-level TLB adds;\n");
        text.Append("bits of linear and physical addresses\n");
        Append(text, MachineComparison.Caches(machines));
        text.Append("\n'show machine NAME' prints one in full, with the source of every number.\n");
        streams.Print(text.ToString());
    }

    private static void Append(StringBuilder text, IReadOnlyList<IReadOnlyList<string>> rows)
    {
        int[] widths = [.. Enumerable.Range(0, rows[0].Count).Select(column => rows.Max(row => row[column].Length))];
        foreach (IReadOnlyList<string> row in rows)
            text.Append(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd()).Append('\n');
    }

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
