using System.Security.Cryptography;
using System.Text;
using Mmu86.Hypervisor.Swap;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Machines;
using Mmu86.Loaders;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Lab.Snapshots;

/// <summary>What a snapshot says of its run: program, machine and all that decides what follows, so that it needs nothing beside it.</summary>
internal static class SavedOptions
{
    /// <summary>The section, which is the first.</summary>
    public const string Section = "options";

    private const int MostFileBytes = int.MaxValue;
    private const int MostTextBytes = 1 << 20;
    private const int MostWords = 1 << 16;

    /// <summary>Writes the section.</summary>
    public static void Save(StateWriter writer, RunOptions options)
    {
        writer.Begin(Section);
        Save(writer, options.Program);
        writer.Write(options.Modules.Count);
        foreach (ProgramImage module in options.Modules)
            Save(writer, module);
        writer.Write((byte?)options.Format);
        writer.Write((byte?)options.Personality);
        writer.Write(options.LoadAddress);
        writer.Write(options.Entry);
        writer.Write(MachineJson.Write(options.Machine));
        writer.Write((byte)options.Paging);
        writer.Write((byte)options.GuestPage);
        writer.Write((byte)options.HostPage);
        writer.Write((byte)options.Fidelity);
        writer.Write(options.MemoryBytes);
        writer.Write(options.HostMemoryBytes);
        writer.Write(options.DiskOrDefault.SizeInBytes);
        writer.Write(options.DiskOrDefault.Device.Name);
        writer.Write(options.Seed);
        writer.End();
    }

    /// <summary>Reads it back. There is no limit of instructions in it: that is the next run's.</summary>
    public static RunOptions Load(StateReader reader)
    {
        if (!reader.Has(Section) && reader.Has(Scenarios.SavedScenario.Section))
            throw new StateFormatException($"section '{Section}' is missing: it is the snapshot of a whole host, which 'vms SCENARIO --restore' goes on from");
        reader.Open(Section);
        ProgramImage program = LoadImage(reader, "program");
        var modules = new ProgramImage[reader.ReadInt32("modules", 0, MostWords)];
        for (int i = 0; i < modules.Length; i++)
            modules[i] = LoadImage(reader, $"module{i}");
        var options = new RunOptions
        {
            Program = program,
            Modules = modules,
            Format = LoadOptional<ImageKind>(reader, "format"),
            Personality = LoadOptional<PersonalityKind>(reader, "personality"),
            LoadAddress = reader.ReadOptional("loadAddress"),
            Entry = reader.ReadOptional("entry"),
            Machine = LoadMachine(reader),
            Paging = Known(reader, "paging", (PagingMode)reader.ReadByte("paging")),
            GuestPage = Page(reader, "guestPage"),
            HostPage = Page(reader, "hostPage"),
            Fidelity = Known(reader, "fidelity", (Fidelity)reader.ReadByte("fidelity")),
            MemoryBytes = Memory(reader, "memory", reader.ReadUInt64("memory")),
            HostMemoryBytes = reader.ReadOptional("hostMemory") is { } host ? Memory(reader, "hostMemory", host) : null,
            Disk = LoadDisk(reader),
            Seed = reader.ReadUInt64("seed"),
        };
        reader.Close();
        return options;
    }

    /// <summary>Refuses a run that is not the one that was saved.</summary>
    /// <exception cref="StateFormatException">Something that decides what follows is another; the message names it.</exception>
    public static void RequireSame(RunOptions saved, RunOptions wanted)
    {
        Require("program", saved.Program.Sha256, wanted.Program.Sha256);
        Require("arguments", string.Join(' ', saved.Program.Arguments), string.Join(' ', wanted.Program.Arguments));
        Require("modules", string.Join(' ', saved.Modules.Select(module => module.Sha256)), string.Join(' ', wanted.Modules.Select(module => module.Sha256)));
        Require("machine", Hash(saved.Machine), Hash(wanted.Machine));
        Require("format", saved.Format, wanted.Format);
        Require("personality", saved.Personality, wanted.Personality);
        Require("loadAddress", saved.LoadAddress, wanted.LoadAddress);
        Require("entry", saved.Entry, wanted.Entry);
        Require("paging", saved.Paging, wanted.Paging);
        Require("guestPage", saved.GuestPage, wanted.GuestPage);
        Require("hostPage", saved.HostPage, wanted.HostPage);
        Require("fidelity", saved.Fidelity, wanted.Fidelity);
        Require("memory", saved.MemoryBytes, wanted.MemoryBytes);
        Require("hostMemory", saved.HostMemoryBytes, wanted.HostMemoryBytes);
        Require("disk.size", saved.DiskOrDefault.SizeInBytes, wanted.DiskOrDefault.SizeInBytes);
        Require("disk.device", saved.DiskOrDefault.Device.Name, wanted.DiskOrDefault.Device.Name);
        Require("seed", saved.Seed, wanted.Seed);

        static void Require<T>(string field, T saved, T wanted)
        {
            if (!EqualityComparer<T>.Default.Equals(saved, wanted))
                throw new StateFormatException($"section '{Section}', field '{field}': is {saved}, and this run's is {wanted}");
        }
    }

    // A name that differs for any difference.
    private static string Hash(MachineDescription machine) =>
        $"{machine.Name} (sha256 {Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(MachineJson.Write(machine))))[..16]})";

    private static void Save(StateWriter writer, ProgramImage image)
    {
        writer.Write(image.Name);
        writer.WriteArray<byte>(image.Bytes);
        writer.Write(image.Arguments.Count);
        foreach (string argument in image.Arguments)
            writer.Write(argument);
    }

    private static ProgramImage LoadImage(StateReader reader, string part)
    {
        reader.Enter(part);
        string name = reader.ReadText("name", MostTextBytes);
        byte[] bytes = reader.ReadBytes("bytes", MostFileBytes);
        var arguments = new string[reader.ReadInt32("arguments", 0, MostWords)];
        for (int i = 0; i < arguments.Length; i++)
            arguments[i] = reader.ReadText("argument", MostTextBytes);
        reader.Leave();
        return new ProgramImage { Name = name, Bytes = bytes, Arguments = arguments };
    }

    private static MachineDescription LoadMachine(StateReader reader)
    {
        byte[] json = reader.ReadBytes("machine", MachineJson.MaximumBytes);
        return MachineJson.Read(json, out IReadOnlyList<ConfigurationError> errors)
            ?? throw reader.Refuse("machine", $"is no description of a machine: {errors[0].Path} {errors[0].Message}");
    }

    private static DiskOptions LoadDisk(StateReader reader)
    {
        ulong size = reader.ReadUInt64("disk.size");
        if (size == 0 || size > DiskOptions.MaximumBytes || (size & 0xFFF) != 0)
            throw reader.Refuse("disk.size", $"is {size}");
        string device = reader.ReadText("disk.device", MostTextBytes);
        return new DiskOptions { SizeInBytes = size, Device = SwapDeviceTimes.Find(device) ?? throw reader.Refuse("disk.device", "is none that there is") };
    }

    private static T? LoadOptional<T>(StateReader reader, string field)
        where T : struct, Enum => reader.ReadOptionalByte(field) is { } value ? Known(reader, field, (T)Enum.ToObject(typeof(T), value)) : null;

    private static T Known<T>(StateReader reader, string field, T value)
        where T : struct, Enum => Enum.IsDefined(value) ? value : throw reader.Refuse(field, "is none that there is");

    private static PageSize Page(StateReader reader, string field) => (PageSize)reader.ReadByte(field) is var size and <= PageSize.Size1G
        ? size
        : throw reader.Refuse(field, "is no page size");

    private static ulong Memory(StateReader reader, string field, ulong bytes) =>
        bytes is >= RunOptions.MinimumMemoryBytes and <= RunOptions.MaximumMemoryBytes && (bytes & 0xFFF) == 0
            ? bytes
            : throw reader.Refuse(field, $"is {bytes}");
}
