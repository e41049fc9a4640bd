using Mmu86.Lab.Machines;

namespace Mmu86.Lab.Scenarios;

/// <summary>What a scenario file does not say.</summary>
public sealed record ScenarioReading
{
    /// <summary>What the scenario is called.</summary>
    public required string Name { get; init; }

    /// <summary>What relative paths of files are relative to.</summary>
    public required string Folder { get; init; }

    /// <summary>What machines are made of.</summary>
    public required MachineDescription Machine { get; init; }

    /// <summary>How much of it is modelled.</summary>
    public required Fidelity Fidelity { get; init; }

    /// <summary>Every size of the file is multiplied by this over <see cref="ScaleDivisor"/>.</summary>
    public required ulong ScaleFactor { get; init; }

    /// <summary>Not 0.</summary>
    public required ulong ScaleDivisor { get; init; }

    /// <summary>RAM of the host in bytes, whatever the file says; null for what it says.</summary>
    public required ulong? HostMemoryBytes { get; init; }

    /// <summary>The seed of everything.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Finds a program by what the file calls it.</summary>
    public required ProgramLookup FindProgram { get; init; }
}

/// <summary>Finds a program.</summary>
/// <param name="program">As the file has it.</param>
/// <param name="arguments">The guest's.</param>
/// <param name="memoryBytes">The machine's memory.</param>
/// <param name="problem">Where the result is null: why, in a sentence without full stop.</param>
public delegate ProgramImage? ProgramLookup(string program, IReadOnlyList<string> arguments, ulong memoryBytes, out string problem);
