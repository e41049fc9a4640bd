using Mmu86.Lab.Configuration;

namespace Mmu86.Lab.Machines;

/// <summary>The machines that come with Mmu86, and how a name or a file becomes a description.</summary>
public static class MachineCatalogue
{
    /// <summary>The machine of a run that does not name one.</summary>
    public const string DefaultName = "skylake";

    /// <summary>The names of the presets: silicon by vendor and age, then what no silicon is.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "nehalem", "sandy-bridge", "ivy-bridge", "haswell", "broadwell", "skylake", "ice-lake", "golden-cove", "gracemont",
        "zen1", "zen2", "zen3", "zen4", "zen5", "ideal", "uncached",
    ];

    /// <summary>One preset.</summary>
    /// <param name="name">One of <see cref="Names"/>, or the internal <c>fast</c>.</param>
    public static MachineDescription Preset(string name) =>
        MachineJson.Read(PresetBytes(name), out IReadOnlyList<ConfigurationError> errors)
        ?? throw new ConfigurationException($"preset {name}", ConfigurationOrigin.File, errors);

    /// <summary>The machine of the <c>fast</c> fidelity: caches that almost never miss, whose statistics nobody sees. Not in <see cref="Names"/>.</summary>
    /// <param name="described">The machine asked for: what a guest can see of it (CPUID, clock) stays.</param>
    public static MachineDescription ForFastFidelity(MachineDescription described)
    {
        MachineDescription fast = Preset("fast");
        return fast with { Name = described.Name, Description = described.Description, Cpuid = described.Cpuid, Clock = described.Clock, Sources = null, Mmu = fast.Mmu with { Nested = described.Mmu.Nested } };
    }

    /// <summary>Refuses a fidelity whose time the machine does not describe, and a clock whose time the fidelity does not model.</summary>
    /// <exception cref="ConfigurationException">The machine is wrong for the fidelity.</exception>
    public static void RequireTimeOf(MachineDescription machine, Fidelity fidelity)
    {
        if (fidelity == Fidelity.Cycles && machine.Caches is null)
            throw new ConfigurationException($"machine {machine.Name}", ConfigurationOrigin.File, [new("caches", "is missing, and --fidelity cycles needs it")]);
        if (fidelity == Fidelity.Fast && machine.Clock.Counts == ClockSource.Cycles)
            throw new ConfigurationException("--fidelity fast", ConfigurationOrigin.CommandLine, [new("clock.counts", "is 'cycles', and fast has none; use tlb or cycles")]);
    }

    /// <summary>Finds a machine by the name of a preset or the path of a file, and applies overrides.</summary>
    /// <param name="nameOrFile">What <c>--machine</c> was given.</param>
    /// <param name="overrides">What each <c>--set</c> was given: <c>PATH=VALUE</c>.</param>
    /// <exception cref="ConfigurationException">It does not exist or is wrong; carries every error.</exception>
    public static MachineDescription Find(string nameOrFile, IReadOnlyList<string> overrides)
    {
        MachineDescription machine = Names.Contains(nameOrFile) ? Preset(nameOrFile) : ReadFile(nameOrFile);
        return overrides.Count == 0 ? machine : MachineOverrides.Apply(machine, overrides);
    }

    private static MachineDescription ReadFile(string path)
    {
        string origin = $"machine file {path}";
        if (!File.Exists(path))
            throw Missing(path);
        byte[] bytes = BoundedFile.Read(path, MachineJson.MaximumBytes, out string problem)
            ?? throw new ConfigurationException(origin, ConfigurationOrigin.File, [new("", problem)]);
        return MachineJson.Read(bytes, out IReadOnlyList<ConfigurationError> errors)
            ?? throw new ConfigurationException(origin, ConfigurationOrigin.File, errors);
    }

    private static ConfigurationException Missing(string name)
    {
        // The list of all is too long for one sentence; the nearest name is what most people want.
        string advice = Suggestion.Nearest(name, Names) is string near ? $"; did you mean '{near}'?" : "; 'list machines' shows the presets";
        return new ConfigurationException($"machine {name}", ConfigurationOrigin.File, [new("", $"is neither a preset nor a file{advice}")]);
    }

    private static byte[] PresetBytes(string name)
    {
        using Stream stream = typeof(MachineCatalogue).Assembly.GetManifestResourceStream($"Mmu86.Lab.Machines.{name}.json")
            ?? throw new ArgumentException($"no preset {name}", nameof(name));
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
