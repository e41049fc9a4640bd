using System.Text.Json.Serialization;
using Mmu86.Paging;
using Mmu86.Timing;

namespace Mmu86.Lab.Machines;

/// <summary>One emulated processor: what <c>show machine</c> prints and <c>--machine</c> reads.</summary>
public sealed record MachineDescription
{
    /// <summary>The name in lists and reports.</summary>
    public required string Name { get; init; }

    /// <summary>What it stands for, in a sentence or two.</summary>
    public required string Description { get; init; }

    /// <summary>What the processor says about itself.</summary>
    public required CpuidDescription Cpuid { get; init; }

    /// <summary>What translates its addresses.</summary>
    public required MmuDescription Mmu { get; init; }

    /// <summary>The caches of memory, for the fidelity <c>cycles</c>. Null: the machine does not have that fidelity.</summary>
    public CachesConfiguration? Caches { get; init; }

    /// <summary>What its time is.</summary>
    public required ClockDescription Clock { get; init; }

    /// <summary>Where each number comes from: a path in this document, of one value or of everything below it, to a source in words.</summary>
    public IReadOnlyDictionary<string, string>? Sources { get; init; }

    /// <summary>Whether a PDPTE may map a 1 GiB page.</summary>
    [JsonIgnore]
    public bool HasPage1G => Cpuid.Features.Contains("pdpe1gb");

    /// <summary>The configuration of the memory-management unit.</summary>
    /// <param name="seed">The seed of random replacement: the run's.</param>
    public MmuConfiguration ToMmuConfiguration(ulong seed) => new()
    {
        L1Instruction = Mmu.L1Instruction,
        L1Data = Mmu.L1Data,
        L2 = Mmu.L2,
        L2Instruction = Mmu.L2Instruction,
        Prefetch = Mmu.Prefetch,
        StructureCaches = Mmu.StructureCaches,
        Latencies = Mmu.Latencies,
        PhysicalAddressBits = Cpuid.PhysicalAddressBits,
        HasPage1G = HasPage1G,
        HasPse36 = Cpuid.Features.Contains("pse36"),
        ReservesBit8AbovePdpte = Cpuid.Vendor == "AuthenticAMD",
        Nested = Mmu.Nested,
        LookUpEveryAccess = Mmu.LookUpEveryAccess,
        Seed = seed,
    };
}
