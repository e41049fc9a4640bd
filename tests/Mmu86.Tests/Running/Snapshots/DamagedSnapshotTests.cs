using System.Diagnostics;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Snapshots;
using Mmu86.Lab;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Running;
using Mmu86.Lab.Snapshots;
using Mmu86.Loaders;
using Mmu86.Memory;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Running.Snapshots;

/// <summary>Snapshots that something happened to.</summary>
[LongTests]
public sealed class DamagedSnapshotTests
{
    // docs/hypervisor/snapshots.md: magic, version and checksum; the section 'end' with a count.
    private const int HeaderBytes = 8 + 4 + 8;
    private const int EndBytes = 1 + 3 + 1 + 4 + 4 + 8 + 8;

    private static readonly Lazy<byte[]> s_snapshot = new(() => Take(PagingMode.Nested, Fidelity.Tlb, "sieve 20000"));

    [Fact]
    public void Read_OfAFileWithAFlippedBit_IsRefused()
    {
        byte[] whole = s_snapshot.Value;
        Random random = TestSeed.Case(1);
        for (int i = 0; i < TestTiers.Pick(150, 1500, 15_000); i++)
        {
            byte[] damaged = (byte[])whole.Clone();

            // Headers of sections are few among bytes that hold pages.
            int at = i < 60 ? i : random.Next(damaged.Length);
            damaged[at] ^= (byte)(1 << random.Next(8));
            StateFormatException refused = Assert.Throws<StateFormatException>(() => Read(damaged));
            Assert.Contains("field '", refused.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Read_OfAFileCutShort_IsRefused()
    {
        byte[] whole = s_snapshot.Value;
        Random random = TestSeed.Case(2);
        for (int i = 0; i < TestTiers.Pick(100, 1000, 10_000); i++)
        {
            int length = i < 60 ? i : i < 90 ? whole.Length - (i - 59) : random.Next(whole.Length);
            Assert.Throws<StateFormatException>(() => Read(whole.AsSpan(0, length).ToArray()));
        }
    }

    [Fact]
    public void Read_OfAFileWithMoreBehindItsEnd_IsRefused() =>
        Assert.Contains("bytes follow", Assert.Throws<StateFormatException>(() => Read([.. s_snapshot.Value, 0])).Message, StringComparison.Ordinal);

    [Fact]
    public void Read_OfAnotherVersion_NamesTheVersion()
    {
        byte[] other = (byte[])s_snapshot.Value.Clone();
        other[8]++;
        BitConverter.TryWriteBytes(other.AsSpan(12), System.IO.Hashing.XxHash3.HashToUInt64(other.AsSpan(0, 12)));
        Assert.Contains($"field 'version': is {other[8]}", Assert.Throws<StateFormatException>(() => Read(other)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cpu")]
    [InlineData("mmu")]
    [InlineData("tlb")]
    [InlineData("structure-caches")]
    [InlineData("nested")]
    [InlineData("host-frames")]
    [InlineData("process")]
    public void Read_WithoutASection_NamesIt(string missing)
    {
        StateSection[] sections = [.. Sections(s_snapshot.Value).Where(section => section.Name != missing)];
        StateFormatException refused = Assert.Throws<StateFormatException>(() => Read(Write(sections)));
        Assert.Equal($"section '{missing}' is missing", refused.Message);
    }

    [Fact]
    public void Read_OfADamagedDisk_NamesItsSection()
    {
        RunOptions options = SmallRuns.Options("memory-kernel random 5000 1500", PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K) with { MemoryBytes = 16 << 20 };
        using GuestMachine machine = GuestMachine.Build(options, GuestOutput.None, null);
        Assert.Null(machine.Run(30_000_000, _ => { }));
        byte[] whole = GuestSnapshotTests.Take(machine);
        int[] places = [.. Enumerable.Range(0, whole.Length - 100).Where(i => whole.AsSpan(i).StartsWith("disk-pages"u8))];
        Assert.True(places.Length > 1, $"{places.Length} sections");
        whole[places[1] + 5000] ^= 0x10;
        Assert.Equal("section 'disk-pages', field 'checksum': is wrong, so the file was damaged", Assert.Throws<StateFormatException>(() => Read(whole)).Message);
    }

    // Checksums find accidents. Whoever makes the checksum anew may get a machine that does strange things, but none that harms us.
    [Theory]
    [InlineData(PagingMode.Native, Fidelity.Tlb, "hash-table 2000", "skylake")]
    [InlineData(PagingMode.Nested, Fidelity.Tlb, "sieve 20000", "skylake")]
    [InlineData(PagingMode.Nested, Fidelity.Cycles, "gups 400 4000", "zen3")]
    [InlineData(PagingMode.Nested, Fidelity.Tlb, "kernel-local-apic", "golden-cove")]
    [InlineData(PagingMode.Native, Fidelity.Tlb, "kernel-two-processes", "ideal")]
    public void Read_OfForgedSections_IsRefusedOrRuns(PagingMode paging, Fidelity fidelity, string guest, string machine)
    {
        byte[] whole = Take(paging, fidelity, guest, machine);
        StateSection[] sections = [.. Sections(whole)];
        byte[][] parts = [.. Parts(whole, sections)];
        Assert.Equal(whole, Join(parts));
        int cases = TestTiers.Pick(120, 1500, 20_000);
        int refused = ForgedSections.Try(sections, ["pages", "options"], TestSeed.Case(guest.Length + (int)fidelity), cases, (which, section) =>
        {
            byte[][] forged = [.. parts];
            forged[which + 1] = Part(section);
            using GuestMachine read = Read(Join(forged));
            Go(read);
        });

        Assert.InRange(refused, 1, cases);
    }

    private static void Go(GuestMachine machine)
    {
        ulong from = machine.Vcpu.Counters.Instructions;
        if (from < ulong.MaxValue - 20_000)
            machine.Run(from + 20_000, _ => { });
        _ = machine.Vcpu.Statistics;
    }

    private static GuestMachine Read(byte[] bytes) => GuestSnapshot.Read(new SnapshotReader(new MemoryStream(bytes)), GuestOutput.None);

    private static byte[] Take(PagingMode paging, Fidelity fidelity, string guest, string machine = "skylake")
    {
        RunOptions options = SmallRuns.Options(guest, paging, fidelity, PageSize.Size4K) with { Machine = MachineCatalogue.Find(machine, []) };
        using GuestMachine made = GuestMachine.Build(options, GuestOutput.None, null);
        Assert.Null(made.Run(guest == "kernel-local-apic" ? 900UL : 20_000, _ => { }));
        return GuestSnapshotTests.Take(made);
    }

    private static List<StateSection> Sections(byte[] snapshot)
    {
        List<StateSection> sections = [];
        var reader = new SnapshotReader(new MemoryStream(snapshot));
        while (reader.TryRead(out StateSection section))
            sections.Add(section);
        return sections;
    }

    // The header, each section as it is stored, and the end: a forged file differs in one part, and only that is compressed anew.
    private static IEnumerable<byte[]> Parts(byte[] whole, IEnumerable<StateSection> sections) =>
        [whole[..HeaderBytes], .. sections.Select(Part), whole[^EndBytes..]];

    private static byte[] Join(byte[][] parts)
    {
        var stream = new MemoryStream();
        foreach (byte[] part in parts)
            stream.Write(part);
        return stream.ToArray();
    }

    private static byte[] Part(StateSection section) => Write([section])[HeaderBytes..^EndBytes];

    private static byte[] Write(IEnumerable<StateSection> sections)
    {
        var stream = new MemoryStream();
        var writer = new SnapshotWriter(stream);
        writer.Write(sections);
        writer.Complete();
        return stream.ToArray();
    }
}
