using Mmu86.Lab.Reports;
using Mmu86.Lab.Scenarios;

namespace Mmu86.Tests.Lab.Scenarios;

/// <summary>Reports of scenarios, made by hand.</summary>
internal static class SampleVms
{
    /// <summary>Machines that alternate between busy and idle on a host that falls short twice.</summary>
    public static VmsReport Report(params string[] names) => new()
    {
        Version = "1.2.3",
        Scenario = "sample",
        Seed = 7,
        Machine = "skylake",
        HostMemory = 64 << 20,
        Promised = (ulong)names.Length * (32 << 20),
        Time = 9_000_000,
        PeakFramesUsed = 16_000,
        Timeline = [.. Enumerable.Range(0, 10).Select(i => Moment(i, names.Length))],
        Machines = [.. names.Select(Machine)],
        FramesOwnedAtEnd = 0,
        Host = HostReport.From(1, TimeSpan.Zero, TimeSpan.Zero),
    };

    private static VmsMoment Moment(int i, int machines) => new()
    {
        Time = (ulong)i * 1_000_000,
        Free = (ulong)(4000 - (i * 256)),
        State = new[] { "high", "high", "soft", "soft", "hard", "low", "high", "high", "soft", "high" }[i],
        Machines = [.. Enumerable.Range(0, machines).Select(machine => new VmsMachineMoment
        {
            Resident = (ulong)((machine + 1) * 256),
            Swapped = machine == 0 ? (ulong)i * 16 : 0,
            Instructions = (ulong)i * 1_000_000 * (ulong)(machine + 1),
            SwapWait = 0,
            Thrashing = false,
            SwapInBytes = 0,
            SwapOutBytes = machine == 0 ? (ulong)i * 65536 : 0,
            Faults = (ulong)(i * 10),
        })],
    };

    private static VmsMachineReport Machine(string name) => new()
    {
        Name = name,
        Program = new ProgramReport { Name = "gups", Sha256 = new string('0', 64), Arguments = [] },
        Memory = 32 << 20,
        Exit = new ExitReport { Kind = ExitKind.Exited, Status = 0 },
        OutputSha256 = new string('a', 64),
        Instructions = 9_000_000,
        ResidentFrames = 0,
        SharedFrames = 0,
        BalloonedFrames = 0,
        SwappedFrames = 0,
        Peak = new VmsFrames { ResidentFrames = 512, SharedFrames = 0, BalloonedFrames = 0, SwappedFrames = 144 },
        SwapInBytes = 0,
        SwapOutBytes = 9 * 65536,
        CleanEvictions = 0,
        SwapWait = 0,
        EndedAt = 9_000_000,
        SharingBroken = 0,
        SharedCopied = 0,
        SharedSwapped = 0,
        Invalidations = 3,
        LargePagesJoined = 0,
        LargePagesSplit = 0,
    };
}
