using System.Text;
using Mmu86.GuestPrograms;
using Mmu86.Hypervisor.Replacement;
using Mmu86.Lab;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Scenarios;
using Xunit;

namespace Mmu86.Tests.Lab.Scenarios;

public sealed class ScenarioTests
{
    private const string Three = """
        { "schema": "mmu86.scenario/1", "hostMemory": "64M", "swap": { "size": "64M" },
          "machines": [
            { "name": "random", "program": "gups", "args": ["600", "60000"], "memory": "16M" },
            { "name": "sorting", "program": "quicksort", "args": ["60000"], "memory": "16M", "startAt": 500000 },
            { "name": "tree", "program": "tree", "args": ["4000"], "memory": "16M", "count": 2 } ] }
        """;

    [Fact]
    public void Run_HostIsTooSmall_EveryOutputIsThatOfAHostWithEnough()
    {
        VmsReport enough = Run(Three, null, 1);

        VmsReport scarce = Run(Three, 3 << 20, 1);

        Assert.Equal(enough.Machines.Select(machine => machine.OutputSha256), scarce.Machines.Select(machine => machine.OutputSha256));
        Assert.All(scarce.Machines, machine => Assert.Equal((ExitKind.Exited, 0), (machine.Exit!.Kind, machine.Exit.Status)));
        Assert.Equal(0UL, scarce.FramesOwnedAtEnd);
        Assert.All(enough.Machines, machine => Assert.Equal(0UL, machine.SwapOutBytes));
        Assert.True(scarce.Machines.Sum(machine => (long)machine.SwapInBytes) > 100 * 4096);
        Assert.Equal(enough.Machines.Select(machine => machine.Instructions), scarce.Machines.Select(machine => machine.Instructions));
    }

    [Fact]
    public void Run_BalloonsAloneAndNoFrameIsLeft_MachinesThatWaitStillGive()
    {
        const string Kernels = """
            { "schema": "mmu86.scenario/1", "hostMemory": "96M", "policy": { "reclaim": "shares", "balloon": true },
              "machines": [ { "name": "kernel", "program": "memory-kernel", "args": ["skewed", "70%", "2000"], "memory": "32M", "count": 3 } ] }
            """;
        VmsReport enough = Run(Kernels, null, 1);

        VmsReport scarce = Run(Kernels, 48 << 20, 2);

        Assert.Equal(enough.Machines.Select(machine => machine.OutputSha256), scarce.Machines.Select(machine => machine.OutputSha256));
        Assert.All(scarce.Machines, machine => Assert.Equal((ExitKind.Exited, 1), (machine.Exit!.Kind, machine.Exit.Status)));
        Assert.Contains(scarce.Timeline, moment => moment.Free == 0);
        Assert.All(scarce.Machines, machine => Assert.True(machine.Peak.BalloonedFrames > 0));
    }

    [Fact]
    public void Run_HostThatReclaimsInTime_TheTimelineStillTellsThatItWasShort()
    {
        VmsReport enough = Run(Three, null, 1);

        VmsReport scarce = Run(Three, 3 << 20, 1);

        Assert.All(enough.Timeline, moment => Assert.Equal("high", moment.State));
        Assert.Contains(scarce.Timeline, moment => moment.State != "high");
    }

    public static TheoryData<string> LivePolicies => [.. PageReplacement.All.Where(policy => !policy.NeedsFuture).Select(policy => policy.Name)];

    [Theory]
    [MemberData(nameof(LivePolicies))]
    public void Run_AnyPolicyOnSeveralThreads_PrintsWhatItPrintsWithEnoughAndWritesTheSameReport(string policy)
    {
        string json = Three.Replace("\"hostMemory\"", $"\"policy\": {{ \"replacement\": \"{policy}\" }}, \"hostMemory\"", StringComparison.Ordinal);
        VmsReport enough = Run(Three, null, 1);

        VmsReport one = Run(json, 3 << 20, 1);
        VmsReport three = Run(json, 3 << 20, 3);

        Assert.Equal(Text(one), Text(three));
        Assert.Equal(enough.Machines.Select(machine => machine.OutputSha256), one.Machines.Select(machine => machine.OutputSha256));
        Assert.True(one.Machines.Sum(machine => (long)machine.SwapInBytes) > 100 * 4096);
        Assert.Equal(0UL, one.FramesOwnedAtEnd);

        static string Text(VmsReport report) => VmsJson.Write(report with { Host = HostReport.From(0, TimeSpan.Zero, TimeSpan.Zero) });
    }

    [Fact]
    public void Run_PagesThatAreOnlyRead_AreNotWrittenToSwapAgain()
    {
        string reading = Three.Replace("\"gups\", \"args\": [\"600\", \"60000\"]", "\"pointer-chase\", \"args\": [\"700\", \"20000\"]", StringComparison.Ordinal);

        VmsMachineReport chase = Run(reading, 3 << 20, 1).Machines[0];

        Assert.Equal(Run(reading, null, 1).Machines[0].OutputSha256, chase.OutputSha256);
        Assert.True(chase.SwapInBytes >> 12 > 1000, $"{chase.SwapInBytes >> 12} pages came back");
        Assert.True(chase.SwapOutBytes * 4 < chase.SwapInBytes, $"{chase.SwapOutBytes >> 12} pages were written, {chase.SwapInBytes >> 12} came back");
        Assert.True(chase.CleanEvictions > 1000, $"{chase.CleanEvictions} needed no write");
    }

    [Fact]
    public void Run_Coupling_HasEveryInstructionAndWalkOnceAndDisturbedQuantaWalkMore()
    {
        VmsReport scarce = Run(Three.Replace("60000\"", "400000\"", StringComparison.Ordinal), 3 << 20, 1);
        VmsMachineReport machine = scarce.Machines[0];
        VmsSpan disturbed = machine.Coupling!.Disturbed;
        VmsSpan calm = machine.Coupling.Calm;

        Assert.Equal(machine.Instructions, (long)(disturbed.Instructions + calm.Instructions));
        Assert.Equal(machine.Walks!.Count + machine.Walks.Faulted, (long)(disturbed.Walks + calm.Walks));
        Assert.Equal(machine.Walks.References + machine.Walks.FaultedReferences, (long)(disturbed.WalkReferences + calm.WalkReferences));
        Assert.True(disturbed.Quanta > 10 && calm.Quanta > 10, $"{disturbed.Quanta} and {calm.Quanta}");
        Assert.True(disturbed.WalkReferences * calm.Instructions > calm.WalkReferences * disturbed.Instructions);
        Assert.True(machine.Coupling.CyclesPerInvalidation > 0);
    }

    [Fact]
    public void Run_CompressedPool_TakesFramesOfTheHostAndGivesThemBack()
    {
        string pooled = Three.Replace("\"size\": \"64M\"", "\"size\": \"64M\", \"compressedPool\": \"1M\", \"device\": \"hdd\", \"preallocated\": true", StringComparison.Ordinal);

        VmsReport report = Run(pooled, 3 << 20, 1);

        Assert.Equal(Run(Three, null, 1).Machines.Select(machine => machine.OutputSha256), report.Machines.Select(machine => machine.OutputSha256));
        Assert.Equal(("hdd", true, 0UL), (report.Swap!.Device, report.Swap.PoolHits > 100, report.FramesOwnedAtEnd));
    }

    [Theory]
    [InlineData("{ \"size\": \"64M\", \"device\": \"nvm\" }", "swap.device: must be nvme, ssd, hdd, not 'nvm'; did you mean 'nvme'?")]
    [InlineData("{ \"size\": \"1K\" }", "swap.size: '1K' must be 64K to 1T")]
    [InlineData("{ \"size\": \"1M\", \"file\": \"\" }", "swap.file: must be a path, or absent for a temporary file")]
    public void Read_SwapThatMakesNoSense_IsRefused(string swap, string message)
    {
        Assert.Null(Read(Encoding.UTF8.GetBytes(Three.Replace("{ \"size\": \"64M\" }", swap, StringComparison.Ordinal)), null, out IReadOnlyList<ConfigurationError> errors));
        Assert.Equal(message, Assert.Single(errors).ToString());
    }

    [Theory]
    [InlineData("memory-kernel", "{ \"size\": \"4X\" }", "machines[0].disk.size: '4X' is not a size of at most 1T; sizes look like 64M or 1G")]
    [InlineData("memory-kernel", "{ \"size\": \"1K\" }", "machines[0].disk.size: '1K' must be 4K to 1T")]
    [InlineData("memory-kernel", "{ \"device\": \"sdd\" }", "machines[0].disk.device: must be nvme, ssd, hdd, not 'sdd'; did you mean 'ssd'?")]
    [InlineData("hello", "{ \"size\": \"1M\" }", "machines[0].disk: means nothing: 'hello' is a process, which has no devices")]
    [InlineData("memory-kernel", "{ \"sise\": \"1M\" }", "machines[0].disk.sise: unknown key; did you mean 'size'?")]
    [InlineData("memory-kernel", "\"1M\"", "machines[0].disk: must be an object, not '1M'")]
    public void Read_DiskThatMakesNoSense_IsRefusedByItsPath(string program, string disk, string message)
    {
        string json = $$"""{ "schema": "mmu86.scenario/1", "hostMemory": "64M", "machines": [ { "name": "a", "program": "{{program}}", "memory": "16M", "disk": {{disk}} } ] }""";
        Assert.Null(Read(Encoding.UTF8.GetBytes(json), null, out IReadOnlyList<ConfigurationError> errors));
        Assert.Equal(message, Assert.Single(errors).ToString());
    }

    [Fact]
    public void Read_Disk_IsScaledAndHasDefaultsForWhatIsNotSaid()
    {
        const string Kernel = "\"program\": \"memory-kernel\", \"memory\": \"32M\"";
        string json = $$"""
            { "schema": "mmu86.scenario/1", "hostMemory": "64M", "machines": [ { "name": "a", {{Kernel}} }, { "name": "b", {{Kernel}}, "disk": {} },
              { "name": "c", {{Kernel}}, "disk": { "size": "50M", "device": "nvme" } }, { "name": "d", {{Kernel}}, "disk": { "device": "hdd" }, "count": 2 } ] }
            """;
        Scenario scenario = Read(Encoding.UTF8.GetBytes(json), null, out _, divisor: 2)!;

        (ulong, string)[] expected = [(32 << 20, "ssd"), (32 << 20, "ssd"), (25 << 20, "nvme"), (32 << 20, "hdd"), (32 << 20, "hdd")];
        Assert.Equal(expected, scenario.Machines.Select(machine => (machine.Options.DiskOrDefault.SizeInBytes, machine.Options.DiskOrDefault.Device.Name)));
    }

    [Fact]
    public void Run_KernelsThatPageToDisksOfOtherKinds_PrintTheSameAtOtherTimes()
    {
        VmsMachineReport nvme = Kernel("{ \"device\": \"nvme\" }"), ssd = Kernel("{}"), hdd = Kernel("{ \"device\": \"hdd\" }"), small = Kernel("{ \"size\": \"6M\" }");

        Assert.Single(new[] { nvme, ssd, hdd, small }.Select(machine => machine.OutputSha256).Distinct());
        Assert.True(nvme.EndedAt < ssd.EndedAt && 5 * ssd.EndedAt < hdd.EndedAt, $"{nvme.EndedAt}, {ssd.EndedAt}, {hdd.EndedAt}");
        Assert.NotEqual(ssd.DebugConsole, small.DebugConsole); // less of it can go

        static VmsMachineReport Kernel(string disk) => Run(
            $$"""{ "schema": "mmu86.scenario/1", "hostMemory": "24M", "machines": [ { "name": "a", "program": "memory-kernel", "args": ["sequential", "4000", "10"], "memory": "16M", "disk": {{disk}} } ] }""",
            null, 1).Machines[0];
    }

    [Fact]
    public void Run_KernelThatPagesAndMoves_TakesItsDiskAlong()
    {
        const string Staying = """
            { "schema": "mmu86.scenario/1", "hostMemory": "24M", "machines": [ { "name": "a", "program": "memory-kernel", "args": ["random", "5000", "300"], "memory": "16M" } ] }
            """;
        VmsReport stayed = Run(Staying, null, 1);

        VmsReport moved = Run(Staying.Replace("\"hostMemory\"", "\"migrations\": [ { \"machine\": \"a\", \"at\": 60000000, \"bandwidth\": \"4G\" } ], \"hostMemory\"", StringComparison.Ordinal), null, 1);

        Assert.Equal("completed", Assert.Single(moved.Migrations!).Outcome);
        Assert.Equal(stayed.Machines[0].OutputSha256, moved.Machines[0].OutputSha256);
        Assert.Equal((1, 1), (stayed.Machines[0].Exit!.Status, moved.Machines[0].Exit!.Status));
        Assert.Equal(0UL, moved.FramesOwnedAtEnd);
    }

    [Theory]
    [InlineData("\"sharing\": true, \"sharingPagesPerSecond\": 0", "policy.sharingPagesPerSecond: must be 1 to 1000000000, not 0")]
    [InlineData("\"sharing\": true, \"sharingPagesPerSecond\": 1000000001", "policy.sharingPagesPerSecond: must be 1 to 1000000000, not 1000000001")]
    [InlineData("\"sharingPagesPerSecond\": 50", "policy.sharingPagesPerSecond: means nothing without 'sharing'")]
    public void Read_SharingThatMakesNoSense_IsRefused(string policy, string message)
    {
        string json = Three.Replace("\"hostMemory\"", $"\"policy\": {{ {policy} }}, \"hostMemory\"", StringComparison.Ordinal);
        Assert.Null(Read(Encoding.UTF8.GetBytes(json), null, out IReadOnlyList<ConfigurationError> errors));
        Assert.Equal(message, Assert.Single(errors).ToString());
    }

    [Fact]
    public void Run_Sharing_TellsWhatWasSharedAndChangesNoOutput()
    {
        const string Clones = """
            { "schema": "mmu86.scenario/1", "hostMemory": "24M",
              "machines": [ { "name": "clone", "program": "hash-table", "args": ["60000"], "memory": "16M", "count": 4 } ] }
            """;
        VmsReport apart = Run(Clones, null, 1);
        VmsReport sharing = Run(Clones.Replace("\"hostMemory\"", "\"policy\": { \"sharing\": true, \"sharingPagesPerSecond\": 4000000 }, \"hostMemory\"", StringComparison.Ordinal), null, 2);

        Assert.Equal(apart.Machines.Select(machine => machine.OutputSha256), sharing.Machines.Select(machine => machine.OutputSha256));
        Assert.Null(apart.Sharing);
        Assert.All(apart.Machines, machine => Assert.Equal(0UL, machine.Peak.SharedFrames));
        Assert.All(sharing.Machines, machine => Assert.True(machine.Peak.SharedFrames > 50));
        Assert.Equal(4_000_000UL, sharing.Sharing!.PagesPerSecond);
        Assert.Contains(sharing.Timeline, moment => moment.Saved > 100 && moment.Machines.All(machine => machine.Shared > 0));
        Assert.True(sharing.Sharing.MostFramesSaved >= sharing.Timeline.Max(moment => moment.Saved!.Value));
        Assert.Equal(sharing.Sharing.Broken, sharing.Machines.Aggregate(0UL, (sum, machine) => sum + machine.SharingBroken));
        Assert.Equal(0UL, sharing.FramesOwnedAtEnd);
    }

    [Fact]
    public void Run_NothingElseMayGo_SwapsWhatIsSharedAndChangesNoOutput()
    {
        // The clones have next to nothing that they do not share, and the minimum of the last one protects what it has.
        const string Crowd = """
            { "schema": "mmu86.scenario/1", "hostMemory": "24M", "swap": { "size": "64M" },
              "policy": { "sharing": true, "sharingPagesPerSecond": 1000000 },
              "machines": [
                { "name": "clone", "program": "memory-kernel", "args": ["random", "60%", "2000", "20", "200", "1", "90", "5"], "memory": "16M", "count": 3 },
                { "name": "hog", "program": "memory-kernel", "args": ["sequential", "80%", "20000", "20", "20", "9", "0", "0"], "memory": "20M", "min": "19M",
                  "startAt": 150000000 } ] }
            """;
        VmsReport enough = Run(Crowd.Replace("\"sharing\": true", "\"sharing\": false", StringComparison.Ordinal), 96 << 20, 1);
        VmsReport scarce = Run(Crowd, null, 2);

        Assert.Equal(enough.Machines.Select(machine => machine.OutputSha256), scarce.Machines.Select(machine => machine.OutputSha256));
        Assert.True(scarce.Sharing!.Swapped > 1000, $"{scarce.Sharing.Swapped} shared pages swapped");
        Assert.Equal(scarce.Sharing.Swapped, scarce.Machines.Aggregate(0UL, (sum, machine) => sum + machine.SharedSwapped));
        Assert.Equal(0UL, scarce.FramesOwnedAtEnd);
    }

    [Theory]
    [InlineData("opt", "policy.replacement: 'opt' needs the accesses to come, which a host that runs does not know")]
    [InlineData("arx", "policy.replacement: must be fifo, clock, lru, 2q, arc, wsclock, mglru, random, not 'arx'; did you mean 'arc'?")]
    public void Read_PolicyThatCannotServe_IsRefused(string policy, string message)
    {
        string json = Three.Replace("\"hostMemory\"", $"\"policy\": {{ \"replacement\": \"{policy}\" }}, \"hostMemory\"", StringComparison.Ordinal);
        Assert.Null(Read(Encoding.UTF8.GetBytes(json), null, out IReadOnlyList<ConfigurationError> errors));
        Assert.Equal(message, Assert.Single(errors).ToString());
    }

    [Fact]
    public void Run_TimeLimit_EndsWhoIsLeftAndReturnsEveryFrame()
    {
        VmsReport report = Run(Three.Replace("\"hostMemory\"", "\"limits\": { \"time\": 700000 }, \"hostMemory\"", StringComparison.Ordinal), null, 1);

        Assert.Contains(report.Machines, machine => machine.Exit is { Kind: ExitKind.Limit, Status: 75, Detail: "limits.time 700000 was reached" });
        Assert.Equal(0UL, report.FramesOwnedAtEnd);
    }

    [Fact]
    public void Run_MachinesMoveToAnotherHost_PrintWhatTheyPrintWithout()
    {
        const string Migrations = """
            "migrations": [ { "machine": "random", "at": 300000, "bandwidth": "4G" }, { "machine": "tree-2", "at": 200000, "bandwidth": "2G", "latency": 20000, "rounds": 3 },
              { "machine": "sorting", "at": 900000000 } ], "hostMemory"
            """;
        string moving = Three.Replace("\"hostMemory\"", Migrations, StringComparison.Ordinal);
        VmsReport stayed = Run(Three, null, 1);

        foreach (ulong? host in new ulong?[] { null, 3 << 20 })
        {
            VmsReport moved = Run(moving, host, 1);

            Assert.Equal(stayed.Machines.Select(machine => machine.OutputSha256), moved.Machines.Select(machine => machine.OutputSha256));
            Assert.Equal(stayed.Machines.Select(machine => machine.Instructions), moved.Machines.Select(machine => machine.Instructions));
            Assert.Equal(["completed", "completed", "neverBegun"], moved.Migrations!.Select(migration => migration.Outcome));
            Assert.Equal(0UL, moved.FramesOwnedAtEnd);
            VmsMigration first = moved.Migrations![0];
            Assert.True(first.Began is >= 300_000 and < 600_000);
            Assert.True(first.Downtime > 0 && first.TotalTime > first.Downtime && first.Rounds.Count > 1);
            Assert.True(moved.Machines[0].EndedAt >= stayed.Machines[0].EndedAt + first.Downtime!.Value);
            Assert.Equal(VmsJson.Write(WithoutHost(moved)), VmsJson.Write(WithoutHost(Run(moving, host, 3))));
        }

        static VmsReport WithoutHost(VmsReport report) => report with { Host = HostReport.From(0, TimeSpan.Zero, TimeSpan.Zero) };
    }

    [Fact]
    public void Read_MigrationsThatCannotBe_AreToldWithTheirPaths()
    {
        const string Migrations = """
            "migrations": [ { "machine": "randm", "at": 0 }, { "machine": "tree-1", "at": 0, "bandwidth": "fast", "rounds": 0 },
              { "machine": "tree-1", "at": 5, "latency": 99999999999999, "downtime": 99999999999999 } ], "hostMemory"
            """;
        Assert.Null(Read(Encoding.UTF8.GetBytes(Three.Replace("\"hostMemory\"", Migrations, StringComparison.Ordinal)), null, out IReadOnlyList<ConfigurationError> errors));

        Assert.Equal(
            [
                "migrations[0].machine", "migrations[1].bandwidth", "migrations[1].rounds", "migrations[2].latency", "migrations[2].downtime", "migrations[2].machine",
            ],
            errors.Select(error => error.Path));
        Assert.Contains("did you mean 'random'?", errors[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bundled_EveryScenario_IsAccepted() => Assert.All(ScenarioCatalogue.Names, name =>
    {
        byte[] file = ScenarioCatalogue.Find(name)!;
        Assert.NotNull(Read(file, null, out IReadOnlyList<ConfigurationError> errors));
        Assert.Empty(errors);
        Assert.NotEmpty(ScenarioJson.DescriptionOf(file));
    });

    [Fact]
    public void Read_ManyMistakes_TellsThemAllWithTheirPaths()
    {
        Assert.Null(Read(
            """
            { "schema": "mmu86.scenario/2", "hostMemory": "64X",
              "policy": { "reclaim": "largst", "replacement": "second" },
              "machines": [
                { "name": "a", "program": "no-such-guest", "memory": "16M" },
                { "name": "b", "program": "hello", "memory": "12", "shares": 0, "min": "32M", "max": "8M" },
                { "name": "c", "program": "hello", "memory": "16M", "count": 5000 },
                { "name": "d", "program": "hello", "memory": "16M" },
                { "name": "d", "program": "hello", "memory": "16M" } ] }
            """u8.ToArray(),
            null, out IReadOnlyList<ConfigurationError> errors));

        Assert.Equal(
            [
                "schema", "hostMemory", "policy.replacement", "policy.reclaim", "machines[0].program", "machines[1].memory", "machines[1].min", "machines[1].max",
                "machines[1].shares", "machines[2].count", "machines[4].name",
            ],
            errors.Select(error => error.Path));
    }

    [Fact]
    public void Read_UnknownAndMissingKeys_AreToldTogether()
    {
        Assert.Null(Read("""{ "schema": "mmu86.scenario/1", "hostMemry": "1G", "machines": [ { "name": "a", "programm": "hello", "memory": 5 } ] }"""u8.ToArray(), null, out var errors));

        Assert.Equal(["hostMemry", "machines[0].programm", "machines[0].memory", "machines[0].program", "hostMemory"], errors.Select(error => error.Path));
    }

    [Fact]
    public void Read_BalloonAsOrder_SaysWhereItBelongs()
    {
        byte[] json = Encoding.UTF8.GetBytes(Three.Replace("\"hostMemory\"", "\"policy\": { \"reclaim\": \"balloon\" }, \"hostMemory\"", StringComparison.Ordinal));

        Assert.Null(Read(json, null, out IReadOnlyList<ConfigurationError> errors));
        Assert.Equal("policy.reclaim: says who gives way: largest or shares; the balloon is 'policy.balloon': true", Assert.Single(errors).ToString());
    }

    [Fact]
    public void Read_Scaled_DividesEverySizeToWholeFrames()
    {
        Scenario scenario = Read(Encoding.UTF8.GetBytes(Three.Replace("16M", "50M", StringComparison.Ordinal)), null, out _, divisor: 3)!;

        Assert.Equal((64UL << 20) / 3 & ~0xFFFUL, scenario.HostMemoryBytes);
        Assert.All(scenario.Machines, machine => Assert.Equal((50UL << 20) / 3 & ~0xFFFUL, machine.Options.MemoryBytes));
        Assert.Equal(["random", "sorting", "tree-1", "tree-2"], scenario.Machines.Select(machine => machine.Name));
    }

    private static VmsReport Run(string json, ulong? hostMemory, int threads)
    {
        Scenario scenario = Read(Encoding.UTF8.GetBytes(json), hostMemory, out IReadOnlyList<ConfigurationError> errors)
            ?? throw new InvalidOperationException(string.Join('\n', errors));
        return new ScenarioRunner(scenario) { Threads = threads, AuditsIsolation = true }.Run(CancellationToken.None);
    }

    internal static Scenario? Read(byte[] json, ulong? hostMemory, out IReadOnlyList<ConfigurationError> errors, ulong divisor = 1) => ScenarioJson.Read(
        json,
        new ScenarioReading
        {
            Name = "test",
            Folder = "",
            Machine = MachineCatalogue.Find("skylake", []),
            Fidelity = Fidelity.Tlb,
            ScaleFactor = 1,
            ScaleDivisor = divisor,
            HostMemoryBytes = hostMemory,
            Seed = 1,
            FindProgram = Find,
        },
        out errors);

    private static ProgramImage? Find(string program, IReadOnlyList<string> arguments, ulong memory, out string problem)
    {
        problem = $"there is no guest '{program}'";
        return GuestCatalogue.Find(program) is not { } guest ? null
            : new ProgramImage { Name = program, Bytes = guest.Build(new GuestBuildOptions { Arguments = arguments, GuestPage = "4k", MemoryBytes = memory }), Arguments = arguments };
    }
}
