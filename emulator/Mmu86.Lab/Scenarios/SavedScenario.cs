using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Mmu86.Lab.Machines;
using Mmu86.Memory;

namespace Mmu86.Lab.Scenarios;

/// <summary>What of a scenario decides what its host does: written by name and value, so that a snapshot of another scenario is refused by the field that differs.</summary>
/// <remarks>Where the swap file is, how many threads there are and whether frames are audited decides nothing, and is not in it.</remarks>
internal static class SavedScenario
{
    /// <summary>The section, which is the first of a host's snapshot.</summary>
    public const string Section = "scenario";

    private const int MostFields = 1 << 20;
    private const int MostNameBytes = 256;
    private const int MostValueBytes = 1 << 20;

    /// <summary>Writes the section.</summary>
    public static void Save(StateWriter writer, Scenario scenario)
    {
        (string Name, string Value)[] fields = [.. Fields(scenario)];
        writer.Begin(Section);
        writer.Write(fields.Length);
        foreach ((string name, string value) in fields)
        {
            writer.Write(name);
            writer.Write(value);
        }

        writer.End();
    }

    /// <summary>Refuses the snapshot of another scenario.</summary>
    /// <exception cref="StateFormatException">Something that decides what follows is another; the message names it.</exception>
    public static void RequireSame(StateReader reader, Scenario scenario)
    {
        if (!reader.Has(Section) && reader.Has(Snapshots.SavedOptions.Section))
            throw new StateFormatException($"section '{Section}' is missing: it is the snapshot of one machine, which 'run --restore' goes on from");
        reader.Open(Section);
        int count = reader.ReadInt32("fields", 1, MostFields);
        Dictionary<string, string> saved = [];
        for (int i = 0; i < count; i++)
            saved[reader.ReadText("name", MostNameBytes)] = reader.ReadText("value", MostValueBytes);
        foreach ((string name, string value) in Fields(scenario))
        {
            if (!saved.Remove(name, out string? was))
                throw reader.Refuse(name, $"is not there, and this run's is {value}");
            if (was != value)
                throw reader.Refuse(name, $"is {was}, and this run's is {value}");
        }

        if (saved.Count != 0)
            throw reader.Refuse(saved.First().Key, $"is {saved.First().Value}, and this run has none");
        reader.Close();
    }

    private static IEnumerable<(string Name, string Value)> Fields(Scenario scenario)
    {
        yield return ("version", typeof(Scenario).Assembly.GetName().Version!.ToString(3));
        yield return ("seed", Text(scenario.Seed));
        yield return ("hostMemory", Text(scenario.HostMemoryBytes));
        yield return ("policy.reclaim", scenario.Order.ToString());
        yield return ("policy.balloon", scenario.UsesBalloons ? "true" : "false");
        yield return ("policy.idleTaxPercent", Text(scenario.IdleTaxPercent));
        yield return ("policy.samplePeriod", Text(scenario.SamplePeriodNanoseconds));
        yield return ("policy.replacement", scenario.Replacement.Name);
        yield return ("swap.size", Text(scenario.Swap?.SizeInBytes));
        yield return ("swap.device", scenario.Swap?.Device.Name ?? "absent");
        yield return ("swap.compressedPool", Text(scenario.Swap?.CompressedPoolBytes));
        yield return ("policy.sharing", scenario.Sharing is null ? "false" : "true");
        yield return ("policy.sharingPagesPerSecond", Text(scenario.Sharing?.PagesPerSecond));
        yield return ("limits.time", Text(scenario.LimitNanoseconds));
        yield return ("machines", Text(scenario.Machines.Count));
        for (int i = 0; i < scenario.Machines.Count; i++)
        {
            foreach ((string name, string value) in Fields(scenario.Machines[i]))
                yield return ($"machines[{i}].{name}", value);
        }

        yield return ("migrations", Text(scenario.Migrations.Count));
        for (int i = 0; i < scenario.Migrations.Count; i++)
            yield return ($"migrations[{i}]", scenario.Migrations[i].ToString());
    }

    private static IEnumerable<(string Name, string Value)> Fields(ScenarioMachine machine)
    {
        RunOptions options = machine.Options;
        yield return ("name", machine.Name);
        yield return ("program", $"{options.Program.Name} (sha256 {options.Program.Sha256[..16]})");
        yield return ("args", string.Join(' ', options.Program.Arguments));
        yield return ("memory", Text(options.MemoryBytes));
        yield return ("disk.size", Text(options.DiskOrDefault.SizeInBytes));
        yield return ("disk.device", options.DiskOrDefault.Device.Name);
        yield return ("shares", Text(machine.Shares));
        yield return ("min", Text(machine.LeastFrames));
        yield return ("max", Text(machine.MostFrames));
        yield return ("startAt", Text(machine.StartNanoseconds));
        yield return ("machine", $"{options.Machine.Name} (sha256 {Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(MachineJson.Write(options.Machine))))[..16]})");
        yield return ("fidelity", options.Fidelity.ToString());
        yield return ("pages", $"{options.Paging} {options.GuestPage} {options.HostPage}");
        yield return ("image", $"{options.Format} {options.Personality} {Text(options.LoadAddress)} {Text(options.Entry)}");
        yield return ("seed", Text(options.Seed));
    }

    private static string Text<T>(T? value)
        where T : struct, IFormattable => value?.ToString(null, CultureInfo.InvariantCulture) ?? "absent";

    private static string Text<T>(T value)
        where T : struct, IFormattable => value.ToString(null, CultureInfo.InvariantCulture);
}
