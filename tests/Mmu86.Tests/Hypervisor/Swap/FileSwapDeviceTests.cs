using System.Diagnostics;
using System.Runtime.Versioning;
using Mmu86.Hypervisor.Swap;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Swap;

[SupportedOSPlatform("linux")]
public sealed class FileSwapDeviceTests : IDisposable
{
    private const int Page = SwapSlot.SizeInBytes;
    private readonly SwapFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(SwapFileAllocation.Growing, 4096 + (3 * Page))]
    [InlineData(SwapFileAllocation.Preallocated, 4096 + (10 * Page) + 100)]
    public void Write_ThenRead_GivesTheBytesFromAFileOfItsOwnersOnly(SwapFileAllocation allocation, long length)
    {
        SwapFileOptions options = _folder.Options((10 * Page) + 100, allocation);
        using (var device = new FileSwapDevice(options))
        {
            Assert.Equal(10UL * Page, device.SizeInBytes);
            Assert.Equal(SwapStatus.Done, device.FinishWrite(device.BeginWrite(Page, new byte[] { 1, 2, 3 })));
            Assert.Equal(SwapStatus.Done, device.FinishWrite(device.BeginWrite(2 * Page, Pages.Noise(1))));
            byte[] page = new byte[Page];
            Assert.Equal(SwapStatus.Done, device.Read(2 * Page, page));
            Assert.Equal(Pages.Noise(1), page);
            Assert.Equal(SwapStatus.Done, device.Read(Page, page.AsSpan(0, 4)));
            Assert.Equal([1, 2, 3, 0], page[..4]);
            Assert.Equal(length, new FileInfo(options.Path).Length);
            Assert.Equal(allocation == SwapFileAllocation.Preallocated, BytesAllocated(options.Path) >= length);
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(options.Path));
        }

        Assert.False(File.Exists(options.Path));
    }

    [Fact]
    public void Read_BehindTheEndOfAGrowingFile_IsShort()
    {
        using var device = new FileSwapDevice(_folder.Options(10 * Page, SwapFileAllocation.Growing));
        Assert.Equal(SwapStatus.ShortRead, device.Read(5 * Page, new byte[Page]));
    }

    [Fact]
    public void BeginWrite_ManyMoreThanTheQueueHolds_AllLandInOrder()
    {
        using var device = new FileSwapDevice(_folder.Options(4 * Page, SwapFileAllocation.Growing) with { QueuedWrites = 2 });
        long[] tickets = [.. Enumerable.Range(0, 500).Select(i => device.BeginWrite((ulong)(i % 4) * Page, Pages.Noise(i)))];
        foreach (long ticket in tickets.Reverse())
            Assert.Equal(SwapStatus.Done, device.FinishWrite(ticket));
        byte[] page = new byte[Page];
        for (int i = 0; i < 4; i++)
        {
            Assert.Equal(SwapStatus.Done, device.Read((ulong)i * Page, page));
            Assert.Equal(Pages.Noise(496 + i), page);
        }
    }

    [Fact]
    public void Access_BeyondTheDevice_IsRefused()
    {
        using var device = new FileSwapDevice(_folder.Options(Page, SwapFileAllocation.Growing));
        Assert.Throws<ArgumentOutOfRangeException>(() => device.Read(1, new byte[Page]));
        Assert.Throws<ArgumentOutOfRangeException>(() => device.BeginWrite(ulong.MaxValue, new byte[Page]));
    }

    [Fact]
    public void Create_OverTheFileOfAKilledProcess_BeginsAfresh()
    {
        SwapFileOptions options = _folder.Options(4 * Page, SwapFileAllocation.Growing);
        string kept = options.Path + ".kept";
        using (var killed = new FileSwapDevice(options))
        {
            _ = killed.FinishWrite(killed.BeginWrite(0, Pages.Noise(1)));

            // Under a second name it stays when the device is gone, and nobody has it locked, as after SIGKILL.
            using var link = Process.Start("ln", [options.Path, kept]);
            link.WaitForExit();
        }

        File.Move(kept, options.Path);
        File.SetUnixFileMode(options.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        using var device = new FileSwapDevice(options);
        Assert.Equal(SwapStatus.ShortRead, device.Read(0, new byte[Page]));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(options.Path));
    }

    [Fact]
    public void Create_FileThatAnotherHasOpen_IsRefused()
    {
        SwapFileOptions options = _folder.Options(4 * Page, SwapFileAllocation.Growing);
        using var first = new FileSwapDevice(options);
        Assert.Contains("in use", Refused(options));
        Assert.Equal(SwapStatus.Done, first.FinishWrite(first.BeginWrite(0, Pages.Noise(1))));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a text that somebody wrote and would not like to lose")]
    public void Create_OverAFileThatIsNotOurs_IsRefusedAndLeavesIt(string text)
    {
        SwapFileOptions options = _folder.Options(4 * Page, SwapFileAllocation.Growing);
        File.WriteAllText(options.Path, text);
        Assert.Contains("is not a swap file of Mmu86", Refused(options));
        Assert.Equal(text, File.ReadAllText(options.Path));
    }

    [Fact]
    public void Create_OverASymbolicLink_IsRefusedAndLeavesItsTarget()
    {
        SwapFileOptions options = _folder.Options(4 * Page, SwapFileAllocation.Growing);
        string target = options.Path + ".target";
        File.WriteAllText(target, "Mmu86 swap file\nor so it says");
        File.CreateSymbolicLink(options.Path, target);
        Assert.Contains("symbolic link", Refused(options));
        Assert.True(File.Exists(target));
    }

    [Theory]
    [InlineData(".", "is a directory")]
    [InlineData("absent/swap", "directory of")]
    [InlineData("/dev/null", "is not a swap file")]
    [InlineData("/proc/mmu86-swap", "cannot be made")]
    public void Create_WhereNoFileCanBe_NamesTheField(string name, string reason)
    {
        string message = Refused(_folder.Options(name, 4 * Page, SwapFileAllocation.Growing));
        Assert.StartsWith("swap.file: ", message);
        Assert.Contains(reason, message);
    }

    [Fact]
    public void Create_EmptyPath_NamesTheField() =>
        Assert.StartsWith("swap.file: ", Refused(_folder.Options(4 * Page, SwapFileAllocation.Growing) with { Path = " " }));

    [Theory]
    [InlineData(0UL)]
    [InlineData(4095UL)]
    [InlineData(ulong.MaxValue)]
    public void Create_SizeThatIsNone_NamesTheField(ulong bytes)
    {
        SwapFileOptions options = _folder.Options(bytes, SwapFileAllocation.Growing);
        Assert.StartsWith("swap.size: ", Refused(options));
        Assert.False(File.Exists(options.Path));
    }

    // In memory, which refuses so much at once. A file system on a disk gives all that it has first, and whoever else writes to it meanwhile finds it full.
    [SkippableFact]
    public void Create_PreallocatedLargerThanTheFileSystem_IsRefusedAndLeavesNothing()
    {
        const string InMemory = "/dev/shm";
        Skip.IfNot(Directory.Exists(InMemory), $"there is no {InMemory}");
        using var folder = new SwapFolder(InMemory);
        SwapFileOptions options = folder.Options(4UL << 40, SwapFileAllocation.Preallocated);
        long free = new DriveInfo(folder.Path).AvailableFreeSpace;
        Assert.True(free < 4L << 40, "this test wants a file system with less than 4 TiB free");
        Assert.StartsWith("swap.file: ", Refused(options));
        Assert.False(File.Exists(options.Path));
    }

    private static long BytesAllocated(string path)
    {
        using var stat = Process.Start(new ProcessStartInfo("stat", ["--format=%b", path]) { RedirectStandardOutput = true })!;
        return 512 * long.Parse(stat.StandardOutput.ReadToEnd(), System.Globalization.CultureInfo.InvariantCulture);
    }

    private static string Refused(SwapFileOptions options) => Assert.Throws<SwapFileException>(() => new FileSwapDevice(options)).Message;
}
