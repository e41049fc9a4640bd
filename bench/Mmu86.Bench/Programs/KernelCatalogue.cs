namespace Mmu86.Bench.Programs;

/// <summary>The kernels that every whole-program table has, in its order.</summary>
/// <remarks>
/// Integers, strings, recursion, indirect jumps; and two whose data no TLB covers: 256 MiB that are followed by pointers, 512 MiB that are
/// updated at random.
/// </remarks>
internal static class KernelCatalogue
{
    /// <summary>Memory that every kernel fits in, with page tables and stack.</summary>
    public const ulong MemoryBytes = 1UL << 30;

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Kernel> All { get; } =
    [
        new() { Name = "sieve", Arguments = ["10000000"], PeerArguments = ["20000000"], QuickArguments = ["300000"] },
        new() { Name = "quicksort", Arguments = ["1000000"], PeerArguments = ["2000000"], QuickArguments = ["30000"] },
        new() { Name = "crc", Arguments = ["16000000"], PeerArguments = ["32000000"], QuickArguments = ["500000"] },
        new() { Name = "strings", Arguments = ["200"], PeerArguments = ["400"], QuickArguments = ["5"] },
        new() { Name = "pointer-chase", Arguments = ["65536", "10000000"], PeerArguments = ["65536", "10000000"], QuickArguments = ["65536", "200000"] },
        new() { Name = "gups", Arguments = ["131072", "4000000"], PeerArguments = ["131072", "6000000"], QuickArguments = ["4096", "200000"] },
        new() { Name = "fibonacci", Arguments = ["34"], PeerArguments = ["36"], QuickArguments = ["25"] },
        new() { Name = "hash-table", Arguments = ["2000000"], PeerArguments = ["3000000"], QuickArguments = ["50000"] },
        new() { Name = "bytecode", Arguments = ["2500000"], PeerArguments = ["5000000"], QuickArguments = ["60000"] },
    ];

    /// <summary>The kernels of a list of names divided by commas, or all of them.</summary>
    public static IReadOnlyList<Kernel> Find(string? names) => names is null
        ? All
        : [.. names.Split(',').Select(name => All.FirstOrDefault(kernel => kernel.Name == name) ?? throw new UsageException($"There is no kernel '{name}'; there are {string.Join(", ", All.Select(kernel => kernel.Name))}."))];
}
