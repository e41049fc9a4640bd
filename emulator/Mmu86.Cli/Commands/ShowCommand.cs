using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using Mmu86.Cli.CommandLine;
using Mmu86.Cli.Programs;
using Mmu86.GuestPrograms;
using Mmu86.Lab.Machines;

namespace Mmu86.Cli.Commands;

/// <summary><c>mmu86 show machine|guest NAME</c>: one of them in full.</summary>
internal static class ShowCommand
{
    /// <summary>The command.</summary>
    /// <param name="streams">Where the answer goes.</param>
    public static Command Create(StandardStreams streams) => new("show", "One machine or guest in full") { CreateMachine(streams), CreateGuest(streams) };

    private static Command CreateMachine(StandardStreams streams)
    {
        var name = new Argument<string>("NAME") { Description = "A preset, or a file" };
        var set = new Option<string[]>("--set") { Description = "Override one value by its path; repeatable", HelpName = "PATH=VALUE", Arity = ArgumentArity.ZeroOrMore };
        var command = new Command("machine", "Prints a machine as the JSON that --machine accepts") { name, set };
        command.SetAction(parsed =>
        {
            MachineDescription machine = MachineCatalogue.Find(parsed.GetRequiredValue(name), parsed.GetValue(set) ?? []);
            streams.Print(MachineJson.Write(machine));
            // Not part of what --machine reads.
            foreach (string note in FilterNotes.Of(machine.Mmu))
                streams.Diagnose(note);
            return ExitStatus.Success;
        });
        return command;
    }

    private static Command CreateGuest(StandardStreams streams)
    {
        var name = new Argument<string>("NAME") { Description = "A bundled guest, or NAME@bare for its ring-0 image" };
        var command = new Command("guest", "Prints what a bundled guest asks, takes and is") { name };
        command.SetAction(parsed =>
        {
            streams.Print(Describe(GuestFinder.Find(parsed.GetRequiredValue(name))));
            return ExitStatus.Success;
        });
        return command;
    }

    private static string Describe(GuestProgram guest)
    {
        byte[] image = guest.Build(new GuestBuildOptions());
        var text = new StringBuilder();
        string suffix = guest.DefaultVariant == GuestVariant.Bare && guest.Variants.HasFlag(GuestVariants.RingThree) ? GuestCatalogue.BareSuffix : "";
        text.Append(guest.Name).Append(suffix).Append('\n');
        text.Append("  question    ").Append(guest.Question).Append('\n');
        text.Append("  usage       mmu86 run ").Append(ListCommand.Usage(guest, suffix)).Append('\n');
        foreach (GuestParameter parameter in guest.Parameters)
        {
            string range = parameter.Choices.Count > 0 ? string.Join(" | ", parameter.Choices) : $"{parameter.Minimum} to {parameter.Maximum}{(parameter.MayBeShareOfMemory ? " or a share of memory as 60%" : "")}";
            text.Append("  ").Append(parameter.Name.PadRight(10)).Append("  ").Append($"{parameter.Unit}, {range}, default {parameter.DefaultText}");
            if (parameter.DefaultWith2M is not null || parameter.DefaultWith1G is not null)
                text.Append($" ({parameter.DefaultFor("2m")} with 2 MiB pages, {parameter.DefaultFor("1g")} with 1 GiB pages)");
            text.Append('\n');
        }

        text.Append("  images      ").Append(Images(guest)).Append('\n');
        text.Append("  image       ").Append($"{(guest.DefaultVariant == GuestVariant.Multiboot ? "ELF32" : "ELF64")}, {image.Length} bytes, sha256 {Convert.ToHexStringLower(SHA256.HashData(image))}").Append('\n');
        return text.ToString();
    }

    private static string Images(GuestProgram guest)
    {
        List<string> images = [];
        if (guest.Variants.HasFlag(GuestVariants.RingThree))
            images.Add($"{guest.Name} (ring 3)");
        if (guest.Variants.HasFlag(GuestVariants.Bare))
            images.Add($"{guest.Name}{GuestCatalogue.BareSuffix} (ring 0)");
        if (guest.Variants.HasFlag(GuestVariants.Multiboot))
            images.Add($"{guest.Name} (multiboot)");
        return string.Join(", ", images);
    }
}
