using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using Mmu86.Cpu;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.DirtyLogging;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Migration;
using Mmu86.Lab;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Memory;
using Mmu86.TestKit;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Migration;

/// <summary>Machines that go to another host while they run, through a stream of bytes.</summary>
public sealed class MigrationTests
{
    private const ulong HostBytes = 192 << 20;

    [Theory]
    [InlineData("gups 2000 20000", PageSize.Size4K, "ept", DirtyLogMethod.PageModificationLog)]
    [InlineData("quicksort 6000", PageSize.Size2M, "ept", DirtyLogMethod.PageModificationLog)]
    [InlineData("hash-table 3000", PageSize.Size2M, "npt", DirtyLogMethod.WriteProtection)]
    [InlineData("tree 1500", PageSize.Size4K, "ept", DirtyLogMethod.WriteProtection)]
    [InlineData("strings 2", PageSize.Size4K, "ept", DirtyLogMethod.PageModificationLog)]
    [InlineData("kernel-demand-paging", PageSize.Size4K, "ept", DirtyLogMethod.PageModificationLog)]
    [InlineData("kernel-two-processes", PageSize.Size4K, "npt", DirtyLogMethod.WriteProtection)]
    public void Machine_MovedWhileItRuns_PrintsAndRetiresWhatItDoesWithout(string guest, PageSize page, string format, DirtyLogMethod method)
    {
        var move = new Move(guest, page, format, method, TestSeed.Case(guest.Length));
        RunTrace alone = SmallRuns.Run(move.Options, null, null);
        using var stream = new MemoryStream();
        using World source = move.Start();
        MigrationSender sender = move.Send(source, stream);

        using World target = new(move.Options, source.Output);
        long length = stream.Position;
        stream.Position = 0;
        MigrationReceiver receiver = new(new MigratedGuest(target.Machine), stream);
        for (int round = 1; round < sender.Rounds.Count; round++)
            receiver.ReceiveRound();
        receiver.ReceiveEnd();
        Assert.Equal((length, length), (stream.Position, (long)sender.Bytes));
        AssertSameMemory(source, target);
        source.Destroy();
        ExitReport exit = target.RunToEnd();

        Assert.Equal((alone.Exit, alone.Output), ($"{exit.Kind} {exit.Status} {exit.Detail}", source.Text));
        Assert.Equal(Instructions(move.Options), target.Machine.Vcpu.Counters.Instructions);
        Assert.True(sender.Rounds.Count > 1);
        Assert.True(sender.Rounds[0].ZeroPages + sender.Rounds[0].Pages > 5);
        Assert.Equal(sender.Rounds.Aggregate(0UL, (sum, round) => sum + round.Bytes), sender.Bytes);
    }

    [Fact]
    public void Frames_SwappedBallooned_AreReadFromTheStoreOrNotSentAtAll()
    {
        using MemoryWorld from = new(16 << 20, new ZeroingScrubber());
        using MemoryWorld to = new(16 << 20, new ZeroingScrubber());
        GuestMemoryManager memory = from.Add(4 << 20, PageSize.Size4K, default, null).Memory;
        for (ulong frame = 0; frame < 20; frame++)
            memory.Write(new GuestFrameNumber(frame).Address, [(byte)(frame + 1)]);
        Assert.Equal(2, memory.Evict([new GuestFrameNumber(3), new GuestFrameNumber(4)]));
        Assert.Equal(2UL, memory.Balloon([new GuestFrameNumber(5), new GuestFrameNumber(200)]).Taken);
        GuestMemoryManager target = to.Add(4 << 20, PageSize.Size4K, default, null).Memory;
        target.Write(new GuestFrameNumber(30).Address, [99]);
        using var stream = new MemoryStream();
        var sender = new MigrationSender(new BareMemory(memory), stream, Options(DirtyLogMethod.WriteProtection) with { MostRounds = 1 });
        sender.Begin();
        memory.Clear(new GuestFrameNumber(7).Address, 4096); // sent already
        memory.Write(new GuestFrameNumber(40).Address, [77]);
        memory.Balloon([new GuestFrameNumber(8)]);           // sent already
        Assert.True(sender.EndRound());
        Assert.True(sender.TryStop());
        sender.Finish();

        stream.Position = 0;
        MigrationReceiver receiver = new(new BareMemory(target), stream);
        receiver.ReceiveRound();
        receiver.ReceiveEnd();

        byte[] left = new byte[4096];
        byte[] right = new byte[4096];
        for (ulong frame = 0; frame < 1024; frame++)
        {
            GuestFrameState state = memory.Peek(new GuestFrameNumber(frame), left, out _);
            Assert.Equal(state == GuestFrameState.Ballooned, target.Peek(new GuestFrameNumber(frame), right, out _) == GuestFrameState.Ballooned);
            Assert.Equal(left, right);
        }

        Assert.Equal((3UL, 2UL), (target.BalloonedFrames, memory.SwappedFrames));
        Assert.Equal((19UL, 0UL), (sender.Rounds[0].Pages, sender.Rounds[0].ZeroPages));
        Assert.Equal((1UL, 1UL), (sender.Rounds[1].Pages, sender.Rounds[1].ZeroPages));
        Assert.False(memory.IsLoggingDirty);
        from.Check();
        to.Check();
    }

    [Fact]
    public void Times_FollowFromBytesBandwidthAndLatency()
    {
        MigrationOptions options = Options(DirtyLogMethod.PageModificationLog) with { BandwidthBytesPerSecond = 1_000_000, LatencyNanoseconds = 300 };
        Assert.Equal(300UL, options.TransferNanoseconds(0));
        Assert.Equal(1_300UL, options.TransferNanoseconds(1));
        Assert.Equal(4_096_300UL, options.TransferNanoseconds(4096));

        using var stream = new MemoryStream();
        var move = new Move("gups 2000 20000", PageSize.Size4K, "ept", DirtyLogMethod.PageModificationLog, TestSeed.Case(1));
        using World source = move.Start();
        MigrationSender sender = move.Send(source, stream);
        Assert.All(sender.Rounds.SkipLast(1), round => Assert.Equal(move.Migration.TransferNanoseconds(round.Bytes), round.Nanoseconds));
        Assert.Equal(move.Migration.TransferNanoseconds(sender.Rounds[^1].Bytes) + move.Migration.LatencyNanoseconds, sender.Rounds[^1].Nanoseconds);
        source.RunToEnd();
    }

    [Fact]
    public void Stream_CutAnywhereOrAnyBitFlipped_IsRefusedAndTheSourceRunsOn()
    {
        var move = new Move("quicksort 3000", PageSize.Size4K, "ept", DirtyLogMethod.PageModificationLog, TestSeed.Case(2));
        RunTrace alone = SmallRuns.Run(move.Options, null, null);
        Random random = TestSeed.Case(3);
        using var stream = new MemoryStream();
        using World source = move.Start();
        MigrationSender sender = move.Send(source, stream);
        byte[] bytes = stream.ToArray();
        List<(int Start, int Length)> records = Records(bytes);

        // Ends of records are where a cut is least plain to see.
        int[] cuts = [.. Enumerable.Range(0, 15).Select(_ => random.Next(bytes.Length)), .. Enumerable.Range(0, 15).Select(_ => records[random.Next(records.Count)].Start)];
        foreach (int cut in cuts)
            Assert.Contains("the stream ends in the", Refused(move, bytes[..cut], sender.Rounds.Count), StringComparison.Ordinal);
        for (int i = 0; i < TestTiers.Pick(30, 300, 3000); i++)
        {
            byte[] flipped = [.. bytes];
            (int start, int length) = records[random.Next(records.Count)];
            flipped[start + random.Next(length)] ^= (byte)(1 << random.Next(8));
            Assert.NotEmpty(Refused(move, flipped, sender.Rounds.Count));
        }

        sender.Abandon();
        ExitReport exit = source.RunToEnd();
        Assert.Equal((alone.Exit, alone.Output), ($"{exit.Kind} {exit.Status} {exit.Detail}", source.Text));
        Assert.Equal(Instructions(move.Options), source.Machine.Vcpu.Counters.Instructions);
    }

    [Theory]
    [InlineData(1, 0, 0xFFUL, "the magic number is not that of a migration")]
    [InlineData(1, 8, 3UL, "the version is 3; only 2 is understood")]
    [InlineData(1, 12, 0x1000UL, "the memory size is 0x1000, and this machine has 0x4000000")]
    [InlineData(2, 0, 0x4000UL, "the frame number of a record Page is 0x4000, which is not the guest's")]
    [InlineData(2, 0, ulong.MaxValue, "the frame number of a record Page is 0xffffffffffffffff, which is not the guest's")]
    [InlineData(3, 0, 1UL << 51, "the frame number of a record Zeros is 0x8000000000000, which is not the guest's")]
    [InlineData(4, 0, 7UL, "the number of a round is 7, not 1")]
    [InlineData(6, 0, 0UL, "the length of a section's name is 0")]
    [InlineData(7, 0, 5UL, "the number of pages is 5, and")]
    [InlineData(7, 16, 99UL, "the number of sections is 99, and")]
    public void Receive_FieldThatCannotBeWithRightChecksum_IsRefusedByName(int kind, int offset, ulong value, string sentence)
    {
        // Of large pages much is zero.
        var move = new Move("quicksort 6000", PageSize.Size2M, "ept", DirtyLogMethod.PageModificationLog, TestSeed.Case(2));
        using var stream = new MemoryStream();
        using World source = move.Start();
        MigrationSender sender = move.Send(source, stream);
        byte[] bytes = stream.ToArray();
        (int start, int length) = Records(bytes).First(record => bytes[record.Start] == kind);
        Span<byte> content = bytes.AsSpan(start + 5, length - 13);
        if (kind == 1 && offset == 8)
            BinaryPrimitives.WriteUInt32LittleEndian(content[offset..], (uint)value);
        else if (kind == 4)
            BinaryPrimitives.WriteUInt32LittleEndian(content, (uint)value);
        else if (kind == 6)
            content[0] = (byte)value;
        else
            BinaryPrimitives.WriteUInt64LittleEndian(content[offset..], value);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(start + length - 8), XxHash3.HashToUInt64(content, kind));

        Assert.StartsWith(sentence, Refused(move, bytes, sender.Rounds.Count), StringComparison.Ordinal);
        source.RunToEnd();
    }

    [Fact]
    public void Send_StreamBreaks_LeavesTheMachineAsItWas()
    {
        var move = new Move("hash-table 3000", PageSize.Size2M, "ept", DirtyLogMethod.PageModificationLog, TestSeed.Case(4));
        RunTrace alone = SmallRuns.Run(move.Options, null, null);
        using World source = move.Start();
        var sender = new MigrationSender(new MigratedGuest(source.Machine), new BreakingStream(60_000), move.Migration);

        MigrationException exception = Assert.Throws<MigrationException>(() => sender.Begin());

        Assert.Equal("the stream cannot be written: the peer is gone", exception.Message);
        Assert.False(source.Memory.IsLoggingDirty);
        Assert.True(source.Memory.JoinWhole(100) > 0);
        ExitReport exit = source.RunToEnd();
        Assert.Equal((alone.Exit, alone.Output), ($"{exit.Kind} {exit.Status} {exit.Detail}", source.Text));
    }

    [Fact]
    public void Receive_HostWithTooFewFrames_IsRefusedInWordsAndEveryFrameIsBack()
    {
        var move = new Move("gups 2000 20000", PageSize.Size4K, "ept", DirtyLogMethod.PageModificationLog, TestSeed.Case(5));
        using var stream = new MemoryStream();
        using World source = move.Start();
        move.Send(source, stream);
        source.RunToEnd();
        using MemoryWorld small = new(2 << 20, new ZeroingScrubber());
        VirtualMachine target = small.Add(move.Options.MemoryBytes, PageSize.Size4K, default, null);
        stream.Position = 0;
        MigrationReceiver receiver = new(new BareMemory(target.Memory), stream);

        Assert.Equal("the destination has no frame left for the machine's memory", Assert.Throws<MigrationException>(receiver.ReceiveRound).Message);

        small.Remove(target);
        Assert.Equal(0UL, small.Host.Frames.FramesUsed);
    }

    private static MigrationOptions Options(DirtyLogMethod method) => new()
    {
        BandwidthBytesPerSecond = 1 << 30,
        LatencyNanoseconds = 50_000,
        MostRounds = 4,
        DowntimeNanoseconds = 100_000,
        Method = method,
    };

    // What a receiver says of bytes; what it had made is gone behind it.
    private static string Refused(Move move, byte[] bytes, int rounds)
    {
        using World target = new(move.Options, new MemoryStream());
        MigrationReceiver receiver = new(new MigratedGuest(target.Machine), new MemoryStream(bytes));
        return Assert.Throws<MigrationException>(() =>
        {
            for (int round = 1; round < rounds; round++)
                receiver.ReceiveRound();
            receiver.ReceiveEnd();
        }).Message;
    }

    private static List<(int Start, int Length)> Records(byte[] bytes)
    {
        List<(int, int)> records = [];
        for (int at = 0; at < bytes.Length;)
        {
            int length = 13 + BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at + 1));
            records.Add((at, length));
            at += length;
        }

        return records;
    }

    private static ulong Instructions(RunOptions options)
    {
        using GuestMachine machine = GuestMachine.Build(options, GuestOutput.None, null);
        Assert.NotNull(machine.Run(ulong.MaxValue, _ => { }));
        return machine.Vcpu.Counters.Instructions;
    }

    private static void AssertSameMemory(World source, World target)
    {
        byte[] left = new byte[4096];
        byte[] right = new byte[4096];
        for (ulong frame = 0; frame < source.Memory.SizeInBytes >> 12; frame++)
        {
            source.Memory.Peek(new GuestFrameNumber(frame), left, out _);
            target.Memory.Peek(new GuestFrameNumber(frame), right, out _);
            Assert.True(left.AsSpan().SequenceEqual(right), $"frame 0x{frame:x}");
        }
    }

    // One migration, with slices of random length between its rounds.
    private sealed class Move(string guest, PageSize page, string format, DirtyLogMethod method, Random random)
    {
        public RunOptions Options { get; } = SmallRuns.Options(guest, PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K, $"mmu.nested.format={format}") with { HostPage = page };

        public MigrationOptions Migration { get; } = MigrationTests.Options(method);

        public World Start()
        {
            var world = new World(Options, new MemoryStream());
            Assert.Null(world.Run(random.Next(1000, 60_000)));
            return world;
        }

        public MigrationSender Send(World source, Stream stream)
        {
            var sender = new MigrationSender(new MigratedGuest(source.Machine), stream, Migration);
            sender.Begin();
            Slice();
            while (!sender.EndRound())
            {
                sender.Continue();
                Slice();
            }

            while (!sender.TryStop())
                Slice();
            sender.Finish();
            return sender;

            void Slice()
            {
                Assert.Null(source.Run(random.Next(1, 20_000)));
                if (random.Next(2) == 0)
                    source.Memory.Evict([.. source.Memory.Residents().Where(_ => random.Next(10) == 0).Select(frame => frame.Guest)]);
            }
        }
    }

    private sealed class World : IDisposable
    {
        private readonly VirtualHost _host = new(new HostMemory(HostBytes, BackingPages.Small), new VirtualHostOptions { Scrubber = new ZeroingScrubber(), AuditsIsolation = true });
        private bool _isDestroyed;

        public World(RunOptions options, MemoryStream output)
        {
            Output = output;
            Machine = GuestMachine.BuildOn(new SharedHost(_host, new MemoryPageStore(), null), options, new GuestOutput(output, output, output));
        }

        public MemoryStream Output { get; }

        public string Text => Encoding.ASCII.GetString(Output.ToArray());

        public GuestMachine Machine { get; }

        public GuestMemoryManager Memory => Machine.Virtual!.Memory;

        public ExitReport? Run(int instructions) => Machine.RunTo(Machine.Vcpu.Counters.Instructions + (ulong)instructions);

        public ExitReport RunToEnd() => Machine.RunTo(ulong.MaxValue)!;

        public void Destroy()
        {
            Machine.Dispose();
            Assert.Equal(0UL, _host.Frames.FramesUsed);
            _isDestroyed = true;
        }

        public void Dispose()
        {
            if (!_isDestroyed)
                Destroy();
            _host.Dispose();
        }
    }

    // A machine that is memory alone.
    private sealed class BareMemory(GuestMemoryManager memory) : IMigratedMachine
    {
        public GuestMemoryManager Memory => memory;

        public IReadOnlyList<StateSection> SaveState() => [];

        public void LoadState(IReadOnlyList<StateSection> sections) => Assert.Single(sections);
    }

    private sealed class BreakingStream(int bytes) : Stream
    {
        private int _left = bytes;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count)
        {
            _left -= count;
            if (_left < 0)
                throw new IOException("the peer is gone");
        }
    }
}
