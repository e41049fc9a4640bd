namespace Mmu86.Lab.Machines;

/// <summary>One cache of memory as it is reported: a subleaf of leaf 4, and with AMD's vendor a word of leaf 80000005H or 80000006H.</summary>
public sealed record CpuidCache
{
    /// <summary>What it holds.</summary>
    public required CpuidCacheKind Kind { get; init; }

    /// <summary>The level, 1 to 3. The first is of data or of instructions, the others are unified.</summary>
    public required int Level { get; init; }

    /// <summary>Bytes: whole KiB; in AMD's third level whole 512 KiB, all that the package has.</summary>
    public required long SizeInBytes { get; init; }

    /// <summary>Ways; 0 where AMD's leaf says that another tells them.</summary>
    public required int Ways { get; init; }

    /// <summary>Bytes of a line: a power of two from 16 to 128.</summary>
    public required int LineBytes { get; init; }
}
