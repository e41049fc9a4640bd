using System.Text;
using Mmu86.Devices;
using Mmu86.GuestPrograms;
using Mmu86.Hypervisor.Balloon;
using Mmu86.Lab;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Paging;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>The kernel that manages its memory, in virtual machines of Mmu86: with its balloon and its disk.</summary>
public sealed class MemoryKernelVirtualTests
{
    private const ulong Mebibyte = 1 << 20;
    private const ulong FramesPerMebibyte = Mebibyte >> 12;

    [Theory]
    [InlineData("random 5000 6000", true, true)]
    [InlineData("sequential 5000 6000 10 10", true, true)]
    [InlineData("skewed 5000 20000 0 0 5 40 40", true, true)]
    [InlineData("file 1000 3000 5 5 3 10 40 3000", true, false)]
    [InlineData("random 300 3000", false, false)]
    public void Kernel_InAVirtualMachine_PagesByItselfWhereItMust(string arguments, bool reads, bool writes)
    {
        using var world = new World(arguments, 16 * Mebibyte);

        world.RunToEnd();

        Assert.Equal(Expected(arguments), world.Output);
        Assert.Equal(reads, MemoryKernelTests.Count(world.Debug, "read") > 0);
        Assert.Equal(writes, MemoryKernelTests.Count(world.Debug, "written") > 0);
    }

    [Theory]
    [InlineData("random 2500 40000 5 20")]
    [InlineData("skewed 2500 40000 5 20 9 50 10")]
    [InlineData("file 1000 15000 5 20 1 25 10 2500")]
    public void Kernel_WhileTheBalloonGrowsAndShrinks_PrintsTheSameAndGivesWhatIsAsked(string arguments)
    {
        using var world = new World(arguments, 16 * Mebibyte);
        BalloonControl balloon = world.Machine.Virtual!.Balloon;
        ulong[] targets = [4, 12, 2, 13, 0, 11];

        foreach (ulong target in targets)
        {
            balloon.TargetFrames = target * FramesPerMebibyte;
            for (int slice = 0; slice < 5000 && balloon.ActualFrames != balloon.TargetFrames; slice++)
                Assert.True(world.Run(20_000), $"the guest ended on its way to {target} MiB: {world.Debug}");
            Assert.Equal(balloon.TargetFrames, balloon.ActualFrames);
            Assert.Equal(balloon.ActualFrames, balloon.BalloonedFrames);
            Assert.True(balloon.RequestStatistics());
        }

        world.RunToEnd();

        Assert.Equal(Expected(arguments), world.Output);
        Assert.True(MemoryKernelTests.Count(world.Debug, "read") > 0, world.Debug);
        Assert.Equal(1 + (ulong)targets.Length, balloon.Counts.StatisticsReceived); // the driver's first buffer has some too
        Assert.Equal(0UL, balloon.Counts.OutsideMemory + balloon.Counts.InflatedTwice + balloon.Counts.DeflatedUnknown + balloon.Counts.BuffersRefused);
    }

    [Fact]
    public void Kernel_WhoseBalloonHasAllButALittle_TakesFramesBackOnlyWhenNothingElseIsLeft()
    {
        // The disk is twice as large as the memory. The program is larger than the disk and what the balloon leaves together.
        const string Arguments = "random 9000 500 0 0 1 0 0";
        using var world = new World(Arguments, 16 * Mebibyte);
        BalloonControl balloon = world.Machine.Virtual!.Balloon;
        balloon.TargetFrames = 13 * FramesPerMebibyte;

        world.RunToEnd();

        Assert.Equal(Expected(Arguments), world.Output);
        Assert.True(MemoryKernelTests.Count(world.Debug, "relieved by it") > 0, world.Debug);
        Assert.True(MemoryKernelTests.Count(world.Debug, "written") >= 2 * 16 * FramesPerMebibyte, world.Debug);
        Assert.Equal(MemoryKernelTests.Count(world.Debug, "in the balloon"), balloon.BalloonedFrames);
    }

    [Fact]
    public void Kernel_OfTheSameParameters_CountsTheSameEveryTime()
    {
        using World first = Run(), second = Run();

        Assert.Equal(first.Debug, second.Debug);
        Assert.Equal(first.Machine.Vcpu.Counters.Instructions, second.Machine.Vcpu.Counters.Instructions);

        static World Run()
        {
            var world = new World("random 5000 2000 5 5", 16 * Mebibyte);
            world.RunToEnd();
            return world;
        }
    }

    private static string Expected(string arguments) =>
        GuestCatalogue.Find("memory-kernel")!.ExpectedOutput(new GuestBuildOptions { Arguments = arguments.Split(' ') });

    private sealed class World : IDisposable
    {
        private readonly MemoryStream _output = new(), _debug = new();
        private ExitReport? _exit;

        public World(string arguments, ulong memoryBytes)
        {
            RunOptions options = SmallRuns.Options("memory-kernel " + arguments, PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K) with { MemoryBytes = memoryBytes };
            Machine = GuestMachine.Build(options, new GuestOutput(_output, _output, _debug), null);
        }

        public GuestMachine Machine { get; }

        public string Output => Encoding.ASCII.GetString(_output.ToArray());

        public string Debug => Encoding.ASCII.GetString(_debug.ToArray());

        /// <summary>Runs so many instructions. False where the guest has ended.</summary>
        public bool Run(ulong instructions)
        {
            _exit ??= Machine.Run(Machine.Vcpu.Counters.Instructions + instructions, _ => { });
            return _exit is null;
        }

        public void RunToEnd()
        {
            while (Run(1UL << 40))
            {
            }

            Assert.True(_exit!.IsSuccess, _exit.Detail);
        }

        public void Dispose() => Machine.Dispose();
    }
}
