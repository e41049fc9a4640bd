using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Snapshots;
using Mmu86.Lab.Scenarios;
using Mmu86.Memory;
using Mmu86.TestKit;
using Mmu86.Tests.Lab.Scenarios;
using Xunit;

namespace Mmu86.Tests.Hypervisor;

public sealed class GuestDiskTests : IDisposable
{
    private const int Page = 4096;
    private const int DiskBytes = 8 << 20;

    private readonly OpenFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public void Disk_RandomWritesAndZeros_AgreesWithACopy()
    {
        using GuestDisk disk = Make();
        Random random = TestSeed.Case(1);
        byte[] copy = new byte[DiskBytes];
        for (int i = 0; i < 2000; i++)
        {
            int sectors = random.Next(1, 60);
            int at = 512 * random.Next((DiskBytes / 512) - sectors);
            byte[] bytes = new byte[512 * sectors];
            if (random.Next(3) == 0)
            {
                Assert.True(disk.TryRead((ulong)at, bytes));
                Assert.Equal(copy[at..(at + bytes.Length)], bytes);
                continue;
            }

            // Parts of zeros among others: pages that are never written, and such as become zeros.
            for (int sector = 0; sector < sectors; sector += random.Next(1, 20))
                random.NextBytes(bytes.AsSpan(512 * sector, 512));
            if (random.Next(4) == 0)
                Array.Clear(bytes);
            Assert.True(disk.TryWrite((ulong)at, bytes));
            bytes.CopyTo(copy, at);
        }

        Assert.Equal(copy, Contents(disk));
        Assert.True(disk.TryFlush());
        Assert.InRange(disk.PagesInFile, 100UL, (DiskBytes / Page) - 1UL);
    }

    [Fact]
    public void Disk_OfZeros_HasNoFile()
    {
        using GuestDisk disk = Make();
        Assert.True(disk.TryWrite(0, new byte[1 << 20]));
        Assert.Equal(new byte[DiskBytes], Contents(disk));
        Assert.Equal((0UL, 0), (disk.PagesInFile, _files.Count));
        Assert.True(disk.TryWrite(DiskBytes - 512, [.. new byte[511], 1]));
        Assert.Equal((1UL, 1), (disk.PagesInFile, _files.Count));
    }

    [Fact]
    public void Disk_ThatIsWritten_HasAFileWithoutANameUntilItIsDisposed()
    {
        GuestDisk disk = Make();
        Assert.True(disk.TryWrite(0, Noise(1, 100)));
        Assert.Equal(1, _files.Count);
        Assert.Empty(_files.Names);
        disk.Dispose();
        Assert.Equal(0, _files.Count);
        Assert.Equal(new byte[DiskBytes], Contents(disk));
    }

    [Fact]
    public void Disk_WrittenHereAndThere_HasAFileAsLongAsWhatWasWritten()
    {
        using var disk = new GuestDisk(1UL << 40, _files.Folder);
        Random random = TestSeed.Case(2);
        HashSet<ulong> pages = [];
        for (int i = 0; i < 200; i++)
        {
            ulong page = (ulong)random.NextInt64((1L << 28) - 2);
            pages.UnionWith([page, page + 1]);
            Assert.True(disk.TryWrite((page * Page) + 512, Noise(i, 2)[..(2 * Page - 1024)]));
        }

        Assert.Equal((ulong)pages.Count, disk.PagesInFile);
        Assert.InRange(_files.Bytes, (pages.Count * Page) - 512, pages.Count * Page);
    }

    [Fact]
    public void Disk_WhoseFileCannotBeMade_RefusesUntilItCan()
    {
        string folder = Path.Combine(_files.Folder, "later");
        using var disk = new GuestDisk(DiskBytes, folder);
        Assert.False(disk.TryWrite(0, Noise(1, 1)));
        Assert.Equal($"no file can be made in {folder}", disk.LastFailure);
        Assert.Equal(new byte[DiskBytes], Contents(disk)); // nothing is there that could not be read
        Directory.CreateDirectory(folder);
        Assert.True(disk.TryWrite(0, Noise(2, 1)));
        Assert.Equal(Noise(2, 1), Contents(disk)[..Page]);
    }

    [Fact]
    public void Disk_InASnapshot_IsInSectionsOfAMebibyteAndComesBack()
    {
        using GuestDisk disk = Make();
        Assert.True(disk.TryWrite(Page, Noise(1, 600)));
        Assert.True(disk.TryWrite(100 * Page, new byte[20 * Page])); // were something, and take no room in the snapshot
        Assert.True(disk.TryWrite(DiskBytes - Page, Noise(2, 1)));
        StateSection[] sections = Save(disk);
        Assert.Equal(["disk-pages", "disk-pages", "disk-pages"], sections.Select(section => section.Name));
        Assert.All(sections, section => Assert.InRange(section.Bytes.Length, Page, (1 << 20) + 4 + (256 * 8)));
        Assert.Equal(581, sections.Sum(section => section.Bytes.Length / Page));

        using GuestDisk other = Make();
        foreach (StateSection section in sections)
            DiskSection.Load(section, other);
        Assert.Equal(Contents(disk), Contents(other));
    }

    [Fact]
    public void Disk_FromASnapshotOfAnother_IsRefusedByThePage()
    {
        using GuestDisk disk = Make(), twice = Make(), small = new(4 * Page, _files.Folder);
        Assert.True(disk.TryWrite(4 * Page, Noise(1, 1)));
        StateSection section = Assert.Single(Save(disk));
        DiskSection.Load(section, twice);
        foreach (GuestDisk? other in (GuestDisk?[])[twice, small, null])
        {
            Assert.Equal(
                "section 'disk-pages', field 'frame': 0x4 is none that is wanted",
                Assert.Throws<StateFormatException>(() => DiskSection.Load(section, other)).Message);
        }
    }

    [Fact]
    public void Disk_ThatCannotBeWritten_CannotBeRestoredEither()
    {
        using GuestDisk disk = Make();
        Assert.True(disk.TryWrite(0, Noise(1, 1)));
        using var other = new GuestDisk(DiskBytes, "/proc/none");
        Assert.Equal(
            "page 0 of a guest's disk cannot be written: no file can be made in /proc/none",
            Assert.Throws<RestoredPageException>(() => DiskSection.Load(Save(disk)[0], other)).Message);
    }

    [Fact]
    public void Disk_OfAMachineThatMoves_IsTakenOver()
    {
        using GuestDisk source = Make(), destination = Make();
        Assert.True(source.TryWrite(0, Noise(1, 3)));
        Assert.True(destination.TryWrite(5 * Page, Noise(2, 1)));
        byte[] bytes = Contents(source);
        destination.TakeOver(source);
        Assert.Equal((3UL, 0UL, 1), (destination.PagesInFile, source.PagesInFile, _files.Count));
        source.Dispose();
        Assert.Equal(bytes, Contents(destination));
    }

    [Fact]
    public void Machines_ThatPageToTheirDisks_CloseTheirFilesWhenTheyEnd()
    {
        const int Machines = 4;
        string json = $$"""
            { "schema": "mmu86.scenario/1", "hostMemory": "48M", "swap": { "size": "8M", "file": "{{_files.Folder}}/host.swap" },
              "machines": [ {{string.Join(", ", Enumerable.Range(0, Machines).Select(i =>
                  $$"""{ "name": "k{{i}}", "program": "memory-kernel", "args": ["sequential", "3000", "10"], "memory": "8M", "startAt": {{i * 300_000_000}} }"""))}} ] }
            """;
        int most = 0;
        var runner = new ScenarioRunner(SnapshotScenarios.Read(json)) { Progress = _ => most = Math.Max(most, _files.Count) };
        VmsReport report = runner.Run(CancellationToken.None);
        Assert.All(report.Machines, machine => Assert.Equal(1, machine.Exit!.Status)); // the debug exit's code 0
        Assert.InRange(most, 2, Machines); // one is the swap file
        Assert.Equal(0, _files.Count);
        Assert.Empty(_files.Names);
    }

    private GuestDisk Make() => new(DiskBytes, _files.Folder);

    private static byte[] Contents(GuestDisk disk)
    {
        byte[] bytes = new byte[DiskBytes];
        Assert.True(disk.TryRead(0, bytes));
        return bytes;
    }

    private static byte[] Noise(int seed, int pages)
    {
        byte[] bytes = new byte[pages * Page];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static StateSection[] Save(GuestDisk disk)
    {
        var stream = new MemoryStream();
        var writer = new SnapshotWriter(stream);
        DiskSection.Write(writer, disk);
        writer.Complete();
        stream.Position = 0;
        var reader = new SnapshotReader(stream);
        List<StateSection> sections = [];
        while (reader.TryRead(out StateSection section))
            sections.Add(section);
        return [.. sections];
    }
}
