using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>
/// The kernel that manages its memory prints the same whatever memory, disk and balloon it has. QEMU's devices are the judges of its drivers;
/// BareGuestTests runs it in machines that have none.
/// </summary>
public sealed class MemoryKernelTests
{
    private const ulong Mebibyte = 1 << 20;
    private const string BalloonDevice = "virtio-balloon-pci,disable-modern=on,deflate-on-oom=on,free-page-reporting=on";
    private const string OutOfMemory = "memory-kernel: out of memory\n";

    [Theory]
    [InlineData("random 300 4000")]
    [InlineData("sequential 300 4000 2 3 9")]
    [InlineData("skewed 250 4000 0 0 0 70 70")]
    [InlineData("file 60 300 1 1 1 0 100 64")]
    [InlineData("random 1 0")]
    public void Kernel_InMmu86WithoutDevices_PrintsWhatItsReferenceComputes(string arguments)
    {
        RunOptions options = SmallRuns.Options("memory-kernel " + arguments, PagingMode.Native, Fidelity.Tlb, PageSize.Size4K) with { MemoryBytes = 16 * Mebibyte };

        Assert.Equal(Expected(arguments), SmallRuns.Run(options, null, null).Output);
    }

    [Fact]
    public void Kernel_WithoutDiskAndMemory_SaysSo()
    {
        RunOptions options = SmallRuns.Options("memory-kernel random 5000 0", PagingMode.Native, Fidelity.Fast, PageSize.Size4K) with { MemoryBytes = 16 * Mebibyte };

        Assert.Equal(OutOfMemory, SmallRuns.Run(options, null, null).Output);
    }

    [Theory]
    [InlineData(Misbehaviour.NoPorts, "has no I/O ports")]
    [InlineData(Misbehaviour.ReadOnly, "cannot be written")]
    [InlineData(Misbehaviour.EmptyQueue, "has a queue of no possible size")]
    [InlineData(Misbehaviour.QueueOfNoPowerOfTwo, "has a queue of no possible size")]
    [InlineData(Misbehaviour.EndlessQueue, "has a queue of no possible size")]
    [InlineData(Misbehaviour.ShortQueue, "has a queue that is too short")]
    [InlineData(Misbehaviour.NeverAnswers, "does not answer")]
    [InlineData(Misbehaviour.NeedsReset, "says that it needs a reset")]
    [InlineData(Misbehaviour.UsesTooMuch, "used more than it was given")]
    [InlineData(Misbehaviour.UsesUnknownDescriptor, "used a descriptor that does not exist")]
    [InlineData(Misbehaviour.LeavesStatusAlone, "failed to write")]
    public void Kernel_WithADiskThatBreaksARule_SaysWhichAndFails(Misbehaviour misbehaviour, string complaint)
    {
        RunOptions options = SmallRuns.Options("memory-kernel random 5000 0", PagingMode.Native, Fidelity.Fast, PageSize.Size4K) with { MemoryBytes = 16 * Mebibyte };
        var output = new MemoryStream();
        using GuestMachine machine = GuestMachine.Build(options, new GuestOutput(output, output, Stream.Null), null);
        MisbehavingDisk.Attach(machine, misbehaviour);

        ExitReport? exit = machine.Run(ulong.MaxValue, _ => { });

        Assert.Equal($"memory-kernel: the disk {complaint}\n", Encoding.ASCII.GetString(output.ToArray()));
        Assert.Equal(1, exit!.DebugCode);
    }

    [SkippableTheory]
    [InlineData("random 5000 20000", 16, 32, true, true)]
    [InlineData("sequential 5000 12000", 16, 32, true, true)]
    [InlineData("skewed 5000 40000 20 20", 16, 32, true, true)]
    [InlineData("random 5000 10000", 16, 12, true, true)] // the disk is smaller than what is needed
    [InlineData("file 1000 3000 0 0 3 10 40 3000", 16, 64, true, false)] // the file's pages go first, and are not written
    [InlineData("random 100 1000", 8, 1, false, false)]
    public void Kernel_InQemuWithADisk_PagesByItselfWhereItMust(string arguments, int memory, int disk, bool reads, bool writes)
    {
        TestTiers.Require(TestTier.Ci);
        using var machine = new QemuMachine(Build(arguments), (ulong)memory * Mebibyte, disk * (long)Mebibyte, "-device", BalloonDevice);
        machine.Continue();

        (int status, string output, string debug) = machine.WaitForEnd();

        Assert.Equal(Expected(arguments), output);
        Assert.Equal(1, status);
        Assert.Equal(reads, Count(debug, "read") > 0);
        Assert.Equal(writes, Count(debug, "written") > 0);
    }

    [SkippableTheory]
    [InlineData("random 3000 6000000 100 100")]
    [InlineData("file 2000 60000 100 100 1 25 10 6000")]
    public void Kernel_WhileQemusBalloonGrowsAndShrinks_PrintsTheSame(string arguments)
    {
        TestTiers.Require(TestTier.Ci);
        using var machine = new QemuMachine(Build(arguments), 64 * Mebibyte, 64L << 20, "-device", BalloonDevice);
        machine.Continue();

        var targets = new List<ulong>();
        foreach (ulong target in new ulong[] { 24, 48, 12, 64, 10, 40, 8, 20 })
        {
            ulong? actual = machine.Balloon(target * Mebibyte, TimeSpan.FromSeconds(10));
            if (actual is null)
                break;
            Assert.Equal(target * Mebibyte, actual);
            targets.Add(target);
        }

        machine.Balloon(64 * Mebibyte, TimeSpan.FromSeconds(10));
        (int status, string output, string debug) = machine.WaitForEnd();

        Assert.Equal(Expected(arguments), output);
        Assert.Equal(1, status);
        Assert.True(targets.Count > 3, $"the guest ended before the balloon had moved much: {string.Join(' ', targets)}; {debug}");
        Assert.True(Count(debug, "read") > 0, debug);
        Assert.True(Count(debug, "reported free") > 0, debug);
    }

    [SkippableFact]
    public void Kernel_WithoutDiskUnderAFullBalloon_TakesFramesBackWhereItMay()
    {
        TestTiers.Require(TestTier.Ci);

        // The balloon takes what is free when the guest starts; then the program touches more than is left, and nothing of it can go to a disk.
        const string Arguments = "random 2500 1000 0 0 1 0 0";
        using var machine = new QemuMachine(Build(Arguments), 16 * Mebibyte, 0, "-device", BalloonDevice);
        machine.Balloon(2 * Mebibyte, TimeSpan.Zero);
        machine.Continue();

        (int status, string output, string debug) = machine.WaitForEnd();

        Assert.Equal(Expected(Arguments), output);
        Assert.Equal(1, status);
        Assert.True(Count(debug, "relieved by it") > 0, debug);
    }

    [SkippableFact]
    public void Kernel_WithADiskThatCannotBeWritten_SaysSoAndFails()
    {
        TestTiers.Require(TestTier.Ci);
        using var files = new GuestProcess();
        string disk = files.WriteFile("read-only.img", new byte[Mebibyte]);
        using var machine = new QemuMachine(Build("random 100 100"), 16 * Mebibyte, 0,
            "-drive", $"format=raw,file={disk},if=none,id=disk,readonly=on", "-device", "virtio-blk-pci,disable-modern=on,drive=disk");
        machine.Continue();

        (int status, string output, _) = machine.WaitForEnd();

        Assert.Equal("memory-kernel: the disk cannot be written\n", output);
        Assert.Equal(3, status);
    }

    [SkippableFact]
    public void Kernel_WithADiskThatFails_SaysSoAndFails()
    {
        TestTiers.Require(TestTier.Ci);
        using var files = new GuestProcess();

        // The first sector of the second mebibyte, so some writes succeed before one fails.
        string rules = files.WriteFile("rules", "[inject-error]\nevent = \"pwritev\"\nerrno = \"5\"\nsector = \"2048\"\n"u8.ToArray());
        string disk = files.WriteFile("disk.img", new byte[32 * Mebibyte]);
        using var machine = new QemuMachine(Build("random 5000 10"), 16 * Mebibyte, 0,
            "-drive", $"driver=raw,file.driver=blkdebug,file.config={rules},file.image.driver=file,file.image.filename={disk},if=none,id=disk,werror=report",
            "-device", "virtio-blk-pci,disable-modern=on,drive=disk");
        machine.Continue();

        (int status, string output, _) = machine.WaitForEnd();

        Assert.Equal("memory-kernel: the disk failed to write\n", output);
        Assert.Equal(3, status);
    }

    internal static ulong Count(string debug, string what)
    {
        Match match = Regex.Match(debug, $"[,:] {what} ([0-9]+)");
        Assert.True(match.Success, debug);
        return ulong.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
    }

    private static byte[] Build(string arguments) => GuestCatalogue.Find("memory-kernel")!.Build(Options(arguments));

    private static string Expected(string arguments) => GuestCatalogue.Find("memory-kernel")!.ExpectedOutput(Options(arguments));

    private static GuestBuildOptions Options(string arguments) => new() { Arguments = arguments.Split(' ') };
}
