using Mmu86.Cpu;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.DirtyLogging;
using Mmu86.Hypervisor.Frames;
using Mmu86.Lab;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor;

/// <summary>What is logged as written, against a copy of the guest's whole memory, and one way of logging against the other.</summary>
public sealed class DirtyLoggingTests
{
    private const ulong HostBytes = 192 << 20;

    [Theory]
    [InlineData("gups 3000 20000", PageSize.Size4K)]
    [InlineData("gups 400 20000", PageSize.Size2M)]
    [InlineData("quicksort 6000", PageSize.Size4K)]
    [InlineData("hash-table 3000", PageSize.Size2M)]
    [InlineData("strings 2", PageSize.Size4K)]
    [InlineData("kernel-demand-paging", PageSize.Size4K)]
    [InlineData("kernel-two-processes", PageSize.Size4K)]
    public void CollectDirty_RandomSlices_TellsEveryFrameThatChangedAndNoneThatWasNotStoredTo(string guest, PageSize page)
    {
        Logged log = Run(guest, page, "ept", DirtyLogMethod.PageModificationLog, evicts: false);
        Logged protection = Run(guest, page, "ept", DirtyLogMethod.WriteProtection, evicts: false);
        Logged npt = Run(guest, page, "npt", DirtyLogMethod.WriteProtection, evicts: false);

        // The two ways know nothing of each other. Which tables of the guest are walked again depends on what caches keep in either format; and where
        // whoever answers system calls follows tables, protection refuses what a log does not see.
        Assert.Equal(log.DataRounds, protection.DataRounds);
        if (guest.StartsWith("kernel", StringComparison.Ordinal))
            Assert.Equal(log.Rounds, protection.Rounds);
        Assert.Equal(log.DataRounds, npt.DataRounds);
        Assert.True(log.Frames > 20, $"{log.Frames} frames in all");
        Assert.True(log.Counts.DirtyFlagsCleared > 0);
        Assert.Equal((0UL, 0UL), (log.Counts.ProtectedWrites, protection.Counts.ModificationLogsFull));
        Assert.True(protection.Counts.ProtectedWrites > 20);
    }

    [Theory]
    [InlineData("quicksort 6000", "ept", DirtyLogMethod.PageModificationLog)]
    [InlineData("gups 400 20000", "ept", DirtyLogMethod.WriteProtection)]
    [InlineData("hash-table 3000", "npt", DirtyLogMethod.WriteProtection)]
    [InlineData("kernel-two-processes", "ept", DirtyLogMethod.PageModificationLog)]
    public void CollectDirty_WhileFramesAreTakenAway_MissesNothing(string guest, string format, DirtyLogMethod method)
    {
        Logged evicted = Run(guest, PageSize.Size4K, format, method, evicts: true);

        Assert.Equal(Run(guest, PageSize.Size4K, format, method, evicts: false).Rounds, evicted.Rounds);
        Assert.True(evicted.Counts.SwappedIn > 30);
        Assert.True(evicted.Counts.SwappedOutClean > 0);
    }

    [Fact]
    public void Run_MorePagesThanALogHolds_ExitsForEachFullLogAndGoesOn()
    {
        Logged log = Run("gups 3000 20000", PageSize.Size4K, "ept", DirtyLogMethod.PageModificationLog, evicts: false, slices: [200_000, 2_000_000]);

        Assert.True(log.Counts.ModificationLogsFull >= 4, $"{log.Counts.ModificationLogsFull} exits");
    }

    [Fact]
    public void Stop_LargePagesWereTakenApart_JoinsThemAgainInPlace()
    {
        using var world = new LoggedMachine("gups 400 20000", PageSize.Size2M, "ept");
        world.Machine.Run(100_000, _ => { });
        GuestMemoryManager memory = world.Memory;
        (ulong tables, ulong resident) = (memory.TableFrames, memory.ResidentFrames);
        ResidentFrame[] frames = [.. memory.Residents()];

        Assert.True(memory.StartDirtyLogging(DirtyLogMethod.PageModificationLog));
        Assert.True(memory.Counts.Splits > 1);
        Assert.Equal(tables + memory.Counts.Splits + 1, memory.TableFrames);
        Assert.Equal(0, memory.JoinWhole(1000));
        memory.StopDirtyLogging();
        Assert.Equal((int)memory.Counts.Splits, memory.JoinWhole(1000));

        Assert.Equal((tables, resident), (memory.TableFrames, memory.ResidentFrames));
        Assert.Equal(frames, memory.Residents());
        Assert.Null(world.Machine.Mmu.Context.Nested);
    }

    [Theory]
    [InlineData(DirtyLogMethod.PageModificationLog)]
    [InlineData(DirtyLogMethod.WriteProtection)]
    public void Start_HostHasNoFrameForATable_IsRefusedAndTheGuestRunsOn(DirtyLogMethod method)
    {
        using var world = new LoggedMachine("gups 400 20000", PageSize.Size2M, "ept");
        RunTrace alone = SmallRuns.Run(world.Options, null, null);
        world.Machine.Run(100_000, _ => { });
        List<HostPhysicalAddress> taken = [];
        var hoarder = new MachineFrames(world.Host.Frames, 999);
        while (hoarder.TryTake(PageSize.Size4K, out HostPhysicalAddress frame))
            taken.Add(frame);
        hoarder.Return(PageSize.Size4K, taken[0]);

        Assert.False(world.Memory.StartDirtyLogging(method));

        Assert.False(world.Memory.IsLoggingDirty);
        Assert.Equal(alone.Exit, Ended(world.Machine.Run(ulong.MaxValue, _ => { })!));
        Assert.Equal(alone.Output, world.Output);
        foreach (HostPhysicalAddress frame in taken.Skip(1))
            hoarder.Return(PageSize.Size4K, frame);
    }

    [Fact]
    public void Start_WithoutALogOfTheProcessorOrTwice_IsRefusedInWords()
    {
        using var world = new LoggedMachine("hello", PageSize.Size4K, "npt");
        Assert.False(world.Memory.HasModificationLog);
        Assert.Contains("no page-modification log", Assert.Throws<InvalidOperationException>(() => world.Memory.StartDirtyLogging(DirtyLogMethod.PageModificationLog)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => world.Memory.CollectDirty([]));
        Assert.True(world.Memory.StartDirtyLogging(DirtyLogMethod.WriteProtection));
        Assert.Throws<InvalidOperationException>(() => world.Memory.StartDirtyLogging(DirtyLogMethod.WriteProtection));
    }

    [Theory]
    [InlineData(DirtyLogMethod.PageModificationLog, 0)]
    [InlineData(DirtyLogMethod.WriteProtection, 0)]
    [InlineData(DirtyLogMethod.WriteProtection, 1)]
    public void CollectDirty_HypervisorWritesForTheGuest_TellsThoseFrames(DirtyLogMethod method, int format)
    {
        using var world = new MemoryWorld(16 << 20, new ZeroingScrubber());
        GuestMemoryManager memory = world.Add(4 << 20, PageSize.Size4K, (NestedFormat)format, null).Memory;
        for (ulong page = 0; page < 8; page++)
            memory.Write(new GuestPhysicalAddress(page << 12), [1]);
        Assert.Equal(1, memory.Evict([new GuestFrameNumber(5)]));
        Assert.True(memory.StartDirtyLogging(method));

        memory.Read(new GuestPhysicalAddress(0x1000), new byte[4096]);
        memory.Write(new GuestPhysicalAddress(0x2FFF), [1, 2]);
        memory.Clear(new GuestPhysicalAddress(0x5000), 4096);
        memory.Write(new GuestPhysicalAddress(0x9000), [3]);
        Assert.Equal(1, memory.Evict([new GuestFrameNumber(2)]));

        Assert.Equal([2, 3, 5, 9], Collect(memory));
        Assert.Empty(Collect(memory));
        memory.Read(new GuestPhysicalAddress(0x2000), new byte[1]);
        memory.Write(new GuestPhysicalAddress(0x3000), [4]);
        Assert.Equal([3], Collect(memory));
        world.Check();
        memory.StopDirtyLogging();
        memory.Write(new GuestPhysicalAddress(0x3000), [5]);
        world.Check();
    }

    private static ulong[] Collect(GuestMemoryManager memory)
    {
        List<GuestFrameNumber> dirty = [];
        memory.CollectDirty(dirty);
        return [.. dirty.Select(frame => frame.Value)];
    }

    private static string Ended(ExitReport exit) => $"{exit.Kind} {exit.Status} {exit.Detail}";

    private static Logged Run(string guest, PageSize page, string format, DirtyLogMethod method, bool evicts, params int[] slices)
    {
        using var world = new LoggedMachine(guest, page, format);
        GuestMemoryManager memory = world.Memory;
        Random random = TestSeed.Case(guest.Length);
        Random victims = TestSeed.Case(7);
        List<string> rounds = [];
        List<string> data = [];
        int frames = 0;
        ExitReport? exit = null;
        Slice(slices.Length > 0 ? slices[0] : random.Next(1, 40_000));
        Assert.True(memory.StartDirtyLogging(method));
        Dictionary<ulong, byte[]> before = Copy(memory);
        for (int round = 0; round < 30 && exit is null; round++)
        {
            Slice(slices.Length > 1 ? slices[1] : random.Next(1, 40_000));
            HashSet<ulong> allowed = world.Tables();
            allowed.Add(world.StackFrame());
            Dictionary<ulong, byte[]> after = Copy(memory);
            ulong[] changed = [.. after.Where(now => !now.Value.AsSpan().SequenceEqual(before.GetValueOrDefault(now.Key) ?? new byte[4096])).Select(now => now.Key).Order()];
            ulong[] dirty = Collect(memory);
            Assert.Empty(changed.Except(dirty));

            // Nothing but a table that was walked, and a stack that got what was there, is written without a change. A kernel has several of both.
            if (!guest.StartsWith("kernel", StringComparison.Ordinal))
                Assert.DoesNotContain(dirty.Except(changed), frame => !allowed.Contains(frame));
            rounds.Add(string.Join(' ', dirty));
            data.Add(string.Join(' ', dirty.Except(allowed)));
            frames += dirty.Length;
            before = after;
            if (evicts)
                memory.Evict([.. memory.Residents().Where(_ => victims.Next(6) == 0).Select(frame => frame.Guest)]);
        }

        memory.StopDirtyLogging();
        exit ??= world.RunToEnd();
        RunTrace alone = SmallRuns.Run(world.Options, null, null);
        Assert.Equal((alone.Exit, alone.Output), (Ended(exit), world.Output));
        return new Logged(rounds, data, frames, memory.Counts);

        void Slice(int instructions) => exit = world.Machine.RunTo(world.Machine.Vcpu.Counters.Instructions + (ulong)instructions);
    }

    // What the guest's memory holds, wherever it is; nothing is touched.
    private static Dictionary<ulong, byte[]> Copy(GuestMemoryManager memory)
    {
        Dictionary<ulong, byte[]> copy = [];
        byte[] page = new byte[4096];
        for (ulong frame = 0; frame < memory.SizeInBytes >> 12; frame++)
        {
            if (memory.Peek(new GuestFrameNumber(frame), page, out _) == GuestFrameState.Unpopulated)
                continue;
            copy.Add(frame, page);
            page = new byte[4096];
        }

        return copy;
    }

    private sealed record Logged(IReadOnlyList<string> Rounds, IReadOnlyList<string> DataRounds, int Frames, GuestMemoryCounts Counts);

    private sealed class LoggedMachine : IDisposable
    {
        private readonly MemoryStream _output = new();

        public LoggedMachine(string guest, PageSize page, string format)
        {
            Options = SmallRuns.Options(guest, PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K, $"mmu.nested.format={format}") with { HostPage = page };
            Host = new VirtualHost(new HostMemory(HostBytes), new VirtualHostOptions { Scrubber = new ZeroingScrubber(), AuditsIsolation = true });
            Machine = GuestMachine.BuildOn(new SharedHost(Host, new MemoryPageStore(), null), Options, new GuestOutput(_output, _output, _output));
        }

        public RunOptions Options { get; }

        public VirtualHost Host { get; }

        public GuestMachine Machine { get; }

        public GuestMemoryManager Memory => Machine.Virtual!.Memory;

        public string Output => System.Text.Encoding.ASCII.GetString(_output.ToArray());

        public ExitReport RunToEnd() => Machine.RunTo(ulong.MaxValue)!;

        // The frames of the tables that CR3 leads to, and the top table itself.
        public HashSet<ulong> Tables()
        {
            HashSet<ulong> tables = [];
            Add(Machine.Vcpu.System.Cr3 >> 12 & 0xFF_FFFF_FFFF, 4);
            return tables;

            void Add(ulong frame, int level)
            {
                if (!tables.Add(frame) || level == 1)
                    return;
                byte[] page = new byte[4096];
                Memory.Peek(new GuestFrameNumber(frame), page, out _);
                for (int i = 0; i < 4096; i += 8)
                {
                    ulong entry = BitConverter.ToUInt64(page, i);
                    if ((entry & 1) != 0 && (entry & 0x80) == 0)
                        Add((entry & PagingEntry.AddressMask) >> 12, level - 1);
                }
            }
        }

        public ulong StackFrame()
        {
            WalkTrace trace = Machine.Mmu.ReadTables(new LinearAddress(Machine.Vcpu.Registers.Rsp), AccessKind.Read, Machine.CurrentMode);
            return trace.GuestPhysical?.Frame.Value ?? ulong.MaxValue;
        }

        public void Dispose()
        {
            Machine.Dispose();
            Assert.Equal(0UL, Machine.Virtual!.Frames.Owned);
            Host.Dispose();
        }
    }
}
