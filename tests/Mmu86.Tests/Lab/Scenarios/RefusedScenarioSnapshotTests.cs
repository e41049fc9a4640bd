using Mmu86.Hypervisor.Snapshots;
using Mmu86.Lab.Scenarios;
using Mmu86.Lab.Snapshots;
using Mmu86.Memory;
using Mmu86.TestKit;
using Mmu86.Tests.Running.Snapshots;
using Xunit;

namespace Mmu86.Tests.Lab.Scenarios;

/// <summary>Snapshots of hosts that something happened to, or that are another scenario's.</summary>
public sealed class RefusedScenarioSnapshotTests
{
    // Of two small machines: a file of some hundred kilobytes.
    private const string Small = """
        { "schema": "mmu86.scenario/1", "hostMemory": "2M", "swap": { "size": "4M" }, "limits": { "time": 700000 },
          "machines": [ { "name": "a", "program": "gups", "args": ["300", "60000"], "memory": "16M" }, { "name": "b", "program": "tree", "args": ["3000"], "memory": "16M" } ] }
        """;

    // A kernel that pages to its disk: some megabytes of it are written.
    private const string Paging = """
        { "schema": "mmu86.scenario/1", "hostMemory": "24M",
          "machines": [ { "name": "a", "program": "tree", "args": ["300"], "memory": "16M" }, { "name": "b", "program": "memory-kernel", "args": ["random", "5000", "300"], "memory": "16M" } ] }
        """;

    private static readonly Lazy<byte[]> s_paging = new(() => Take(Paging, 40_000_000));
    private static readonly Lazy<byte[]> s_snapshot = new(() => Take(SnapshotScenarios.Everything, SnapshotScenarios.Busiest));
    private static readonly Lazy<byte[]> s_small = new(() => Take(Small, 500_000));

    [Fact]
    public void Everything_KeptInTheMiddle_HasSomethingOfEverything()
    {
        StateSection[] sections = [.. Sections(s_snapshot.Value)];
        Assert.Equal("scenario", sections[0].Name);
        foreach (string name in (string[])["timeline", "scheduler", "host-frames", "swap", "sharing", "m0-schedule", "m0-memory", "m0-cpu", "m0-platform", "m2-process", "m3-record", "pages", "swap-pages", "swap-pool"])
            Assert.Contains(sections, section => section.Name == name);
        Assert.DoesNotContain(sections, section => section.Name == "m3-cpu");
    }

    [Fact]
    public void Restore_OfTheWholeFile_EndsAsTheStraightRun() =>
        Assert.Equal(SnapshotScenarios.Text(new ScenarioRunner(SnapshotScenarios.Read(SnapshotScenarios.Everything)).Run(CancellationToken.None)), Restore(s_snapshot.Value));

    [Fact]
    public void Restore_OfAGuestThatPagesToItsDisk_EndsAsTheStraightRun()
    {
        StateSection[] disk = [.. Sections(s_paging.Value).Where(section => section.Name == "m1-disk-pages")];
        Assert.True(disk.Length > 1, $"{disk.Length} sections");
        Assert.All(disk, section => Assert.InRange(section.Bytes.Length, 4096, (1 << 20) + 4096));
        string straight = SnapshotScenarios.Text(new ScenarioRunner(SnapshotScenarios.Read(Paging)).Run(CancellationToken.None));
        Assert.Equal(straight, Restore(s_paging.Value, SnapshotScenarios.Read(Paging)));
        Assert.NotEqual(straight, Restore(Write(Sections(s_paging.Value).Where(section => section.Name != "m1-disk-pages")), SnapshotScenarios.Read(Paging)));
    }

    [Fact]
    public void Restore_OfADamagedDisk_NamesItsSection()
    {
        byte[] damaged = (byte[])s_paging.Value.Clone();
        int last = damaged.AsSpan().LastIndexOf("m1-disk-pages"u8);
        damaged[last + 5000] ^= 4;
        Assert.Equal(
            "section 'm1-disk-pages', field 'checksum': is wrong, so the file was damaged",
            Assert.Throws<StateFormatException>(() => Restore(damaged, SnapshotScenarios.Read(Paging))).Message);
    }

    [Theory]
    [InlineData("m0-disk-pages")] // a process, which has no disk
    [InlineData("m7-disk-pages")]
    [InlineData("disk-pages")]
    public void Restore_OfADiskThatNobodyHas_IsRefused(string name)
    {
        IEnumerable<StateSection> forged = Sections(s_paging.Value).Select(section => section.Name == "m1-disk-pages" ? section with { Name = name } : section);
        Assert.StartsWith($"section '{name}', field 'frame': 0x", Assert.Throws<StateFormatException>(() => Restore(Write(forged), SnapshotScenarios.Read(Paging))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Restore_OfAFileWithAFlippedBit_IsRefusedByTheField()
    {
        Random random = TestSeed.Case(1);
        for (int i = 0; i < TestTiers.Pick(30, 60, 5000); i++)
        {
            byte[] damaged = (byte[])s_small.Value.Clone();
            int at = i < 25 ? i : random.Next(damaged.Length);
            damaged[at] ^= (byte)(1 << random.Next(8));
            Assert.Contains("field '", Assert.Throws<StateFormatException>(() => Restore(damaged, SnapshotScenarios.Read(Small))).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Restore_OfAFileCutShort_IsRefused()
    {
        Random random = TestSeed.Case(2);
        byte[] whole = s_small.Value;
        for (int i = 0; i < TestTiers.Pick(30, 60, 5000); i++)
        {
            int length = i < 10 ? i : i < 20 ? whole.Length - (i - 9) : random.Next(whole.Length);
            Assert.Throws<StateFormatException>(() => Restore(whole.AsSpan(0, length).ToArray(), SnapshotScenarios.Read(Small)));
        }
    }

    public static TheoryData<string> SectionsToMiss => [.. TestTiers.Sample(
        ["scenario", "timeline", "scheduler", "host-frames", "swap", "sharing", "m0-record", "m1-schedule", "m1-memory", "m1-cpu", "m0-platform", "m2-process"],
        step: 4)];

    [Theory]
    [MemberData(nameof(SectionsToMiss))]
    public void Restore_WithoutASection_NamesIt(string missing) => Assert.Equal(
        $"section '{missing}' is missing",
        Assert.Throws<StateFormatException>(() => Restore(Write(Sections(s_snapshot.Value).Where(section => section.Name != missing)))).Message);

    [Theory]
    [InlineData("pages", "section 'm0-memory', field 'copies'")] // tables of zeros lead to no frame
    [InlineData("swap-pages", "section 'swap-pages', field 'frame'")]
    [InlineData("swap-pool", "section 'swap-pool', field 'pooledSlot'")]
    public void Restore_WithoutPages_IsRefused(string missing, string words) => Assert.Contains(
        words, Assert.Throws<StateFormatException>(() => Restore(Write(Sections(s_snapshot.Value).Where(section => section.Name != missing)))).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("\"14M\"", "\"15M\"", "field 'hostMemory': is 14680064, and this run's is 15728640")]
    [InlineData("\"arc\"", "\"clock\"", "field 'policy.replacement': is arc, and this run's is clock")]
    [InlineData("75,", "74,", "field 'policy.idleTaxPercent': is 75")]
    [InlineData("\"balloon\": true", "\"balloon\": false", "field 'policy.balloon': is true")]
    [InlineData("Second\": 1000000", "Second\": 1000001", "field 'policy.sharingPagesPerSecond'")]
    [InlineData("\"size\": \"64M\"", "\"size\": \"65M\"", "field 'swap.size'")]
    [InlineData(", \"compressedPool\": \"1M\"", "", "field 'swap.compressedPool': is 1048576, and this run's is 0")]
    [InlineData("10300000", "10300001", "field 'limits.time'")]
    [InlineData("\"count\": 2", "\"disk\": { \"size\": \"16M\" }, \"count\": 2", "field 'machines[0].disk.size': is 33554432, and this run's is 16777216")]
    [InlineData("\"count\": 2", "\"disk\": { \"device\": \"hdd\" }, \"count\": 2", "field 'machines[0].disk.device': is ssd, and this run's is hdd")]
    [InlineData("\"count\": 2", "\"count\": 3", "field 'machines': is 5, and this run's is 6")]
    [InlineData("\"shares\": 300", "\"shares\": 301", "field 'machines[2].shares'")]
    [InlineData("\"300\"", "\"301\"", "field 'machines[3].")]
    [InlineData("\"startAt\": 9400000", "\"startAt\": 9400001", "field 'machines[4].startAt'")]
    public void Restore_UnderAnotherScenario_IsRefusedByTheField(string saved, string wanted, string words)
    {
        string other = SnapshotScenarios.Everything.Replace(saved, wanted, StringComparison.Ordinal);
        Assert.NotEqual(SnapshotScenarios.Everything, other);
        Assert.Contains(words, Assert.Throws<StateFormatException>(() => Restore(s_snapshot.Value, SnapshotScenarios.Read(other))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Restore_WithAnotherMachineOrSeed_IsRefusedByTheField()
    {
        Assert.Contains("field 'seed': is 1, and this run's is 2", Refused(SnapshotScenarios.Read(SnapshotScenarios.Everything, seed: 2)), StringComparison.Ordinal);
        Assert.Contains("field 'machines[0].machine': is skylake", Refused(SnapshotScenarios.Read(SnapshotScenarios.Everything, "zen3")), StringComparison.Ordinal);
        Assert.Contains("field 'machines[0].fidelity': is Tlb", Refused(SnapshotScenarios.Read(SnapshotScenarios.Everything, fidelity: Mmu86.Lab.Fidelity.Fast)), StringComparison.Ordinal);

        static string Refused(Scenario scenario) => Assert.Throws<StateFormatException>(() => Restore(s_snapshot.Value, scenario)).Message;
    }

    // Checksums find accidents. Whoever makes the checksum anew may get a host that does strange things, but none that harms us.
    [Fact]
    public void Restore_OfForgedSections_IsRefusedOrRuns()
    {
        StateSection[] sections = [.. Sections(s_snapshot.Value)];
        int cases = TestTiers.Pick(10, 25, 20_000);
        int refused = ForgedSections.Try(sections, ["scenario"], TestSeed.Case(3), cases, (which, section) =>
        {
            StateSection[] forged = [.. sections];
            forged[which] = section;
            _ = Restore(Write(forged));
        });

        Assert.InRange(refused, 1, cases - 1);
    }

    // Counted from the policy's name in the section. Behind it: what its pacer owes, its hand, its time. Before it: its length, and the last pair of a frame and its eviction.
    [Theory]
    [InlineData(3 + 16 + 4 + 7, 0x7F, "'instructions': the host or the policy is ahead of what the guest has done")]
    [InlineData(-4 - 16 + 3, 0x0F, "'evictedFrame': is 0xf")]
    public void Restore_OfAPolicyThatIsNotItsMachines_IsRefused(int place, byte forgery, string words)
    {
        StateSection[] forged = [.. Sections(s_snapshot.Value)];
        int which = Array.FindIndex(forged, section => section.Name == "m0-schedule");
        byte[] bytes = forged[which].Bytes.ToArray();
        bytes[bytes.AsSpan().LastIndexOf("arc"u8) + place] = forgery;
        forged[which] = forged[which] with { Bytes = bytes };
        Assert.StartsWith($"section 'm0-schedule', field {words}", Assert.Throws<StateFormatException>(() => Restore(Write(forged))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Snapshot_BehindTheBeginningOfAMigration_IsRefusedInWords_AndBeforeItIsExact()
    {
        Scenario moving = SnapshotScenarios.Read("""
            { "schema": "mmu86.scenario/1", "hostMemory": "64M", "migrations": [ { "machine": "b", "at": 2000000, "bandwidth": "4G" } ],
              "machines": [ { "name": "a", "program": "gups", "args": ["600", "300000"], "memory": "16M" }, { "name": "b", "program": "gups", "args": ["500", "300000"], "memory": "16M" } ] }
            """);
        using var folder = new SnapshotFolder();
        var late = new ScenarioRunner(moving) { Snapshot = new ScenarioSnapshotRequest(2_500_000, folder.File("late")) };
        SnapshotUnavailableException refused = Assert.Throws<SnapshotUnavailableException>(() => late.Run(CancellationToken.None));
        Assert.Equal("at 2500000 ns the migration of 'b' has begun, and a host is only kept before its first migration", refused.Message);
        Assert.False(File.Exists(folder.File("late")));
        var early = new ScenarioRunner(moving) { Snapshot = new ScenarioSnapshotRequest(1_900_000, folder.File("early")) };
        string straight = SnapshotScenarios.Text(early.Run(CancellationToken.None));
        Assert.Contains("completed", straight, StringComparison.Ordinal);
        Assert.Equal(straight, SnapshotScenarios.Text(new ScenarioRunner(moving) { RestoredFrom = folder.File("early") }.Run(CancellationToken.None)));
    }

    [Fact]
    public void Snapshot_OfOneMachine_IsToldApartFromThatOfAHost()
    {
        StateFormatException refused = Assert.Throws<StateFormatException>(() => GuestSnapshot.ReadOptions(new SnapshotReader(new MemoryStream(s_snapshot.Value))));
        Assert.Contains("the snapshot of a whole host", refused.Message, StringComparison.Ordinal);
    }

    private static string Restore(byte[] bytes) => Restore(bytes, SnapshotScenarios.Read(SnapshotScenarios.Everything));

    private static string Restore(byte[] bytes, Scenario scenario)
    {
        using var folder = new SnapshotFolder();
        File.WriteAllBytes(folder.File("snapshot"), bytes);
        return SnapshotScenarios.Text(new ScenarioRunner(scenario) { RestoredFrom = folder.File("snapshot") }.Run(CancellationToken.None));
    }

    private static byte[] Take(string scenario, ulong at)
    {
        using var folder = new SnapshotFolder();
        var runner = new ScenarioRunner(SnapshotScenarios.Read(scenario)) { Snapshot = new ScenarioSnapshotRequest(at, folder.File("snapshot")) };
        _ = runner.Run(CancellationToken.None);
        Assert.True(runner.IsSnapshotTaken);
        return File.ReadAllBytes(folder.File("snapshot"));
    }

    private static List<StateSection> Sections(byte[] snapshot)
    {
        List<StateSection> sections = [];
        var reader = new SnapshotReader(new MemoryStream(snapshot));
        while (reader.TryRead(out StateSection section))
            sections.Add(section);
        return sections;
    }

    private static byte[] Write(IEnumerable<StateSection> sections)
    {
        var stream = new MemoryStream();
        var writer = new SnapshotWriter(stream);
        writer.Write(sections);
        writer.Complete();
        return stream.ToArray();
    }
}
