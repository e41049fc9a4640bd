using Mmu86.Hypervisor.Replacement;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Hypervisor.Swap;
using Mmu86.X86;

namespace Mmu86.Tests.Hypervisor.HostSoak;

/// <summary>A machine of a <see cref="HostCase"/>.</summary>
internal sealed record HostCaseMachine(string Guest, ulong MemoryBytes, ulong Shares, ulong LeastFrames, ulong MostFrames, ulong StartNanoseconds);

/// <summary>How often a swap device fails: once in so many operations, or pages; 0 for never.</summary>
internal sealed record HostCaseFaults(int ReadsOneIn, int WritesOneIn, int PagesOneIn, int SpikesEvery);

/// <summary>A host with machines, drawn at random.</summary>
internal sealed record HostCase
{
    /// <summary>Guests that end after some ten to a few hundred thousand instructions, whatever a small host does to them.</summary>
    private static readonly string[] s_guests =
    [
        "gups {50-900} {1000-30000}", "pointer-chase {50-700} {2000-20000}", "stride {50-500} {2-12}", "quicksort {500-8000}", "hash-table {300-3000}", "tree {200-2000}",
        "sieve {2000-40000}", "strings 1", "crc {2000-30000}", "bytecode {500-4000}", "matrix {8-28}", "fibonacci {8-16}", "heapsort {300-3000}", "hello", "tlb-probe 64",
        "line-chase {50-400} {2000-8000}", "jump-chain {20-90} 3 {50-300}", "kernel-demand-paging", "kernel-two-processes",
    ];

    private static readonly string[] s_kernels =
    [
        "memory-kernel random {60-900} {100-2000} {0-1} {0-2} {1-3} {0-60} {0-40}", "memory-kernel skewed {60-900} {100-2000} {0-1} {0-2} {1-3} {0-60} {0-40}",
        "memory-kernel sequential {60-700} {100-1000} {0-1} {0-1} {1-3} {0-30} {0-30}", "memory-kernel file {60-500} {100-1500} {0-1} {0-1} {1-3} {0-30} {0-30} {20-400}",
    ];

    // Long enough for balloons to grow and to shrink again.
    private static readonly string[] s_largeKernels =
    [
        "memory-kernel random {500-1800} {3000-12000} {0-5} {0-10} {1-3} {0-60} {0-40}", "memory-kernel skewed {500-1800} {3000-12000} {0-5} {0-10} {1-3} {0-60} {0-40}",
    ];

    private static readonly string[] s_presets = ["skylake", "skylake", "nehalem", "haswell", "golden-cove", "gracemont", "zen1", "zen4"];

    public required int Number { get; init; }

    public required string Preset { get; init; }

    public required PageSize HostPage { get; init; }

    public required ulong HostBytes { get; init; }

    /// <summary>Which part the host has of what its machines touch, in percent; 0 where <see cref="HostBytes"/> is what it is.</summary>
    public required int PartPercent { get; init; }

    /// <summary>Frames for each machine that the first machine's minimum leaves; 0 where it is not promised most of the host.</summary>
    public required int FramesLeft { get; init; }

    public required IReadOnlyList<HostCaseMachine> Machines { get; init; }

    public required string Replacement { get; init; }

    public required ReclaimOrder Order { get; init; }

    public required int IdleTaxPercent { get; init; }

    public required ulong? SamplePeriodNanoseconds { get; init; }

    public required ulong? SharingPagesPerSecond { get; init; }

    public required bool UsesBalloons { get; init; }

    public required ulong QuantumNanoseconds { get; init; }

    /// <summary>0 for no swap.</summary>
    public required ulong SwapPages { get; init; }

    /// <summary>Null for one in memory.</summary>
    public required SwapFileAllocation? File { get; init; }

    public required string Device { get; init; }

    public required SwapSpaceOptions Swap { get; init; }

    public required HostCaseFaults Faults { get; init; }

    /// <summary>Quanta after which a host that thrashes is given up.</summary>
    public required int MostQuanta { get; init; }

    /// <summary>Whether there is memory for all that every machine may touch, and for its tables and reserve.</summary>
    public bool IsRoomy => HostBytes >= Machines.Aggregate(0UL, (sum, machine) => sum + machine.MemoryBytes + (4UL << 20)) * 10 / 9
        && Machines.All(machine => machine.MostFrames == ulong.MaxValue);

    /// <summary>Draws a case.</summary>
    public static HostCase Draw(int number, Random random)
    {
        string preset = Pick(random, s_presets);
        HostCaseMachine[] machines = [.. Enumerable.Range(0, random.Next(2, 7)).Select(_ => DrawMachine(random))];
        if (random.Next(3) == 0)
        {
            // Clones, for page sharing.
            for (int i = 1; i < machines.Length; i++)
                machines[i] = machines[i] with { Guest = machines[0].Guest, MemoryBytes = machines[0].MemoryBytes };
        }

        ulong promised = machines.Aggregate(0UL, (sum, machine) => sum + (machine.MemoryBytes >> 12));
        bool shares = random.Next(2) == 0;
        int tax = shares && random.Next(2) == 0 ? random.Next(1, 100) : 0;
        ulong swapPages = random.Next(8) switch
        {
            0 => 0,
            1 => (ulong)random.Next(16, 80),
            2 => (ulong)random.Next(80, 600),
            _ => promised * 2,
        };
        return new HostCase
        {
            Number = number,
            Preset = preset,
            HostPage = random.Next(3) == 0 ? PageSize.Size4K : PageSize.Size2M,
            HostBytes = (promised + (ulong)(machines.Length * 1024)) * 5 / 4 << 12,
            PartPercent = random.Next(10) switch { 0 => 0, 1 => random.Next(8, 30), _ => random.Next(30, 100) },
            FramesLeft = random.Next(6) == 0 ? random.Next(8, 64) : 0,
            Machines = machines,
            Replacement = Pick(random, [.. PageReplacement.All.Where(policy => !policy.NeedsFuture).Select(policy => policy.Name)]),
            Order = shares ? ReclaimOrder.Shares : ReclaimOrder.Largest,
            IdleTaxPercent = tax,
            SamplePeriodNanoseconds = tax > 0 || random.Next(4) == 0 ? (ulong)random.Next(100_000, 3_000_000) : null,
            SharingPagesPerSecond = random.Next(2) == 0 ? (ulong)random.Next(10_000, 6_000_000) : null,
            UsesBalloons = random.Next(4) != 0,
            QuantumNanoseconds = Pick(random, [20_000UL, 50_000UL, 100_000UL, 100_000UL, 400_000UL]),
            SwapPages = swapPages,
            File = random.Next(3) switch { 0 => SwapFileAllocation.Growing, 1 => SwapFileAllocation.Preallocated, _ => null },
            Device = Pick(random, [.. SwapDeviceTimes.Names]),
            Swap = SwapSpaceOptions.Standard with
            {
                CompressedPoolBytes = random.Next(3) == 0 ? (ulong)random.Next(4096, 1 << 20) : 0,
                ClusterPages = Pick(random, [1, 4, 16]),
                ClustersUnderWay = Pick(random, [1, 4, 64]),
                ReadAheadPages = Pick(random, [1, 8]),
                HeldPages = Pick(random, [1, 20, 1024]),
            },
            MostQuanta = 1500,
            Faults = random.Next(3) switch
            {
                0 => new HostCaseFaults(0, 0, 0, 0),
                1 => new HostCaseFaults(0, random.Next(2, 60), 0, random.Next(0, 40)),
                _ => new HostCaseFaults(random.Next(10, 200), random.Next(5, 100), random.Next(2) * random.Next(20, 500), random.Next(0, 40)),
            },
        };
    }

    /// <summary>Draws a case in which kernels have a part of what they touch and give to their balloons, and every second swap device damages pages.</summary>
    public static HostCase DrawUnderPressure(int number, Random random)
    {
        HostCase drawn = Draw(number, random);
        HostCaseMachine[] machines = [.. Enumerable.Range(0, random.Next(2, 4)).Select(_ => DrawMachine(Pick(random, s_largeKernels), random) with { LeastFrames = 0, MostFrames = ulong.MaxValue })];
        return drawn with
        {
            PartPercent = random.Next(40, 80),
            FramesLeft = 0,
            Machines = machines,
            UsesBalloons = true,
            SwapPages = machines.Aggregate(0UL, (sum, machine) => sum + (machine.MemoryBytes >> 12)) * 2,
            Faults = new HostCaseFaults(0, 0, number % 2 == 0 ? 0 : random.Next(50, 400), 0),
        };
    }

    /// <summary>The case with a host that has its part of so many frames.</summary>
    public HostCase Sized(ulong framesTouched)
    {
        if (PartPercent == 0)
            return this;

        // Reserves and tables besides.
        ulong frames = Math.Max(256, (framesTouched * (ulong)PartPercent / 100) + ((ulong)Machines.Count * 24));
        HostCaseMachine[] machines = [.. Machines];
        if (FramesLeft != 0)
            machines[0] = machines[0] with { LeastFrames = frames - Math.Min(frames, (ulong)(FramesLeft * machines.Length)) };
        return this with { HostBytes = frames << 12, Machines = machines };
    }

    /// <summary>What it takes to see the case again.</summary>
    public override string ToString() =>
        $"case {Number}: {Preset}, pages of {HostPage}, host of {HostBytes >> 12} frames, {Replacement}, {Order}, tax {IdleTaxPercent}, samples {SamplePeriodNanoseconds}, "
        + $"sharing {SharingPagesPerSecond}, balloons {UsesBalloons}, quantum {QuantumNanoseconds}, swap of {SwapPages} pages ({Device}, {File?.ToString() ?? "in memory"}, pool "
        + $"{Swap.CompressedPoolBytes}, clusters {Swap.ClusterPages} x {Swap.ClustersUnderWay}, held {Swap.HeldPages}), {Faults}\n  {string.Join("\n  ", Machines)}";

    private static HostCaseMachine DrawMachine(Random random) => DrawMachine(Pick(random, random.Next(3) == 0 ? s_kernels : s_guests), random);

    private static HostCaseMachine DrawMachine(string pattern, Random random)
    {
        string guest = Fill(pattern, random);
        ulong memory = (guest.StartsWith("memory-kernel", StringComparison.Ordinal) ? (ulong)random.Next(8, 14) : (ulong)random.Next(20, 23)) << 20;
        return new HostCaseMachine(
            guest,
            memory,
            (ulong)random.Next(1, 2000),
            random.Next(4) == 0 ? (ulong)random.Next(1, 60) : 0,
            random.Next(5) == 0 ? (ulong)random.Next(256, 1000) : ulong.MaxValue,
            random.Next(2) == 0 ? 0 : (ulong)random.Next(3_000_000));
    }

    // Each {from-to} becomes a number.
    private static string Fill(string pattern, Random random)
    {
        while (pattern.IndexOf('{', StringComparison.Ordinal) is >= 0 and var start)
        {
            int end = pattern.IndexOf('}', start);
            string[] bounds = pattern[(start + 1)..end].Split('-');
            pattern = $"{pattern[..start]}{random.Next(int.Parse(bounds[0]), int.Parse(bounds[1]) + 1)}{pattern[(end + 1)..]}";
        }

        return pattern;
    }

    private static T Pick<T>(Random random, T[] from) => from[random.Next(from.Length)];
}
