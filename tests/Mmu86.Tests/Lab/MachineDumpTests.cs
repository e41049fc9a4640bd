using System.Globalization;
using Mmu86.Cpu;
using Mmu86.Lab.Machines;
using Xunit;

namespace Mmu86.Tests.Lab;

/// <summary>What the presets report is what the parts that they stand for report.</summary>
public sealed class MachineDumpTests
{
    private const uint Monitor = 1u << 3;
    private const uint Syscall = 1u << 11;

    public static IEnumerable<object[]> Leaves => Dumps().Select(dump => new object[] { dump.Preset, dump.Leaf, dump.Subleaf });

    private static IEnumerable<(string Preset, uint Leaf, uint Subleaf, CpuidResult Result)> Dumps() =>
        from line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "data", "machines", "cpuid.txt"))
        where line.Length > 0 && line[0] != '#'
        let cells = line.Split(';', StringSplitOptions.TrimEntries)
        let words = cells[3].Split(' ').Select(Hex).ToArray()
        select (cells[0], Hex(cells[1]), Hex(cells[2]), new CpuidResult(words[0], words[1], words[2], words[3]));

    [Theory]
    [MemberData(nameof(Leaves))]
    public void Leaf_OfAPreset_IsThatOfItsDump(string preset, uint leaf, uint subleaf)
    {
        CpuidResult dump = Dumps().Single(line => (line.Preset, line.Leaf, line.Subleaf) == (preset, leaf, subleaf)).Result;
        CpuidDescription description = MachineCatalogue.Preset(preset).Cpuid;
        CpuidResult read = new MachineCpuid(description).Read(leaf, subleaf);
        switch (leaf)
        {
            case 1:
                // EBX tells the place of the CPU among others. MONITOR is left out on purpose: see the presets' sources.
                Assert.Equal(dump.Eax, read.Eax);
                Assert.Equal(dump.Ecx & Known(leaf, subleaf, CpuidRegister.Ecx) & ~Monitor, read.Ecx);
                Assert.Equal(dump.Edx & Known(leaf, subleaf, CpuidRegister.Edx), read.Edx);
                break;
            case 4:
                // The rest of EAX is topology, and EDX tells what of a cache is not reported.
                const uint KindAndLevel = 0x3FF;
                Assert.Equal(dump.Eax & KindAndLevel, read.Eax);
                Assert.Equal((dump.Ebx, dump.Ecx, 0u), (read.Ebx, read.Ecx, read.Edx));
                break;
            case 7:
                Assert.Equal(dump.Eax & Known(leaf, subleaf, CpuidRegister.Eax), subleaf == 0 ? 0 : read.Eax);
                Assert.Equal(dump.Ebx & Known(leaf, subleaf, CpuidRegister.Ebx), read.Ebx);
                Assert.Equal(dump.Ecx & Known(leaf, subleaf, CpuidRegister.Ecx), read.Ecx);
                break;
            case 0x8000_0001:
                // Code of 32 bits took the dumps, and on Intel SYSCALL is for 64-bit mode.
                Assert.Equal(dump.Eax, read.Eax);
                Assert.Equal(dump.Ecx & Known(leaf, subleaf, CpuidRegister.Ecx), read.Ecx);
                Assert.Equal((dump.Edx | Syscall) & Known(leaf, subleaf, CpuidRegister.Edx), read.Edx);
                break;
            case 0x8000_0008:
                Assert.Equal(dump.Eax & 0xFFFF, read.Eax);
                break;
            default:
                Assert.Equal(dump, read);
                break;
        }
    }

    [Fact]
    public void Dumps_CoverEveryPresetOfSilicon() =>
        Assert.Equal(MachineCatalogue.Names.Except(["ideal", "uncached"]), Dumps().Select(dump => dump.Preset).Distinct());

    [Theory]
    [InlineData("golden-cove", 8u)]
    [InlineData("gracemont", 4u)]
    public void Leaf18_BeyondItsLastSubleaf_IsNothing(string preset, uint last)
    {
        var cpuid = new MachineCpuid(MachineCatalogue.Preset(preset).Cpuid);
        Assert.Equal(0x18u, cpuid.Read(0, 0).Eax);
        Assert.NotEqual(default, cpuid.Read(0x18, last));
        Assert.Equal(default, cpuid.Read(0x18, last + 1));
        Assert.Equal(default, cpuid.Read(8, 0));
    }

    [Fact]
    public void UnknownLeaf_OfAmd_IsNothing()
    {
        var cpuid = new MachineCpuid(MachineCatalogue.Preset("zen4").Cpuid);
        Assert.Equal((7u, 0x8000_0019u), (cpuid.Read(0, 0).Eax, cpuid.Read(0x8000_0000, 0).Eax));
        Assert.Equal(default, cpuid.Read(8, 0));
        Assert.Equal(default, cpuid.Read(0x8000_001A, 0));
        Assert.Equal(default, cpuid.Read(4, 0));
        Assert.Equal(default, cpuid.Read(2, 0));
        CpuidResult first = cpuid.Read(0, 0), extended = cpuid.Read(0x8000_0000, 0);
        Assert.Equal((first.Ebx, first.Ecx, first.Edx), (extended.Ebx, extended.Ecx, extended.Edx));
    }

    [Theory]
    [InlineData("cpuid.tlbDescriptors=[\"0x63\", \"0x03\", \"0xb6\"]", "cpuid.tlbDescriptors[2]: must be below 0x80, not '0xb6': bit 31 of a register says that the register tells nothing")]
    [InlineData("cpuid.translationCaches[0].level=8", "cpuid.translationCaches[0].level: must be 1 to 7, not 8")]
    [InlineData("cpuid.translationCaches[0].pageSizes=[\"2g\"]", "cpuid.translationCaches[0].pageSizes[0]: must be one of 4k, 2m, 4m, 1g, not '2g'")]
    [InlineData("cpuid.translationCaches[2].sets=2", "cpuid.translationCaches[2].sets: must be 1 for a fully associative cache, not 2")]
    [InlineData("cpuid.translationCaches[0].sharedBy=0", "cpuid.translationCaches[0].sharedBy: must be 1 to 4096, not 0")]
    [InlineData("cpuid.translationCaches[0].ways=65536", "cpuid.translationCaches[0].ways: must be 1 to 65535, not 65536")]
    [InlineData("cpuid.caches[0].ways=0", "cpuid.caches[0].ways: must be 1 to 64, not 0")]
    [InlineData("cpuid.caches[0].lineBytes=48", "cpuid.caches[0].lineBytes: must be a power of two from 16 to 128, not 48")]
    [InlineData("cpuid.caches[0].sizeInBytes=49153", "cpuid.caches[0].sizeInBytes: must be a multiple of 768, and 49153 is not")]
    [InlineData("cpuid.caches[2].kind=data", "cpuid.caches[2].kind: must be unified in level 2")]
    [InlineData("cpuid.caches[1].kind=data", "cpuid.caches[1]: a cache of this kind and level 1 appears twice")]
    public void Apply_LeafOfIntelThatCannotBe_IsRefusedByItsPath(string overriding, string message) => IsRefused("golden-cove", overriding, message);

    [Theory]
    [InlineData("cpuid.extendedTlbs[0].entries=256", "cpuid.extendedTlbs[0].entries: must be 1 to 255, not 256")]
    [InlineData("cpuid.extendedTlbs[0].ways=65", "cpuid.extendedTlbs[0].ways: must be 1 to 64, not 65")]
    [InlineData("cpuid.extendedTlbs[0].pageSize=4m", "cpuid.extendedTlbs[0].pageSize: must be one of 4k, 2m, 1g, not '4m'")]
    [InlineData("cpuid.extendedTlbs[0].kind=data", "cpuid.extendedTlbs[1]: the data TLB of level 1 for 4k appears twice")]
    [InlineData("cpuid.extendedTlbs[7].entries=4096", "cpuid.extendedTlbs[7].entries: must be 1 to 4095, not 4096")]
    [InlineData("cpuid.caches[3].sizeInBytes=1000000", "cpuid.caches[3].sizeInBytes: must be a multiple of 524288, and 1000000 is not")]
    [InlineData("cpuid.vendor=GenuineIntel", "cpuid.extendedTlbs: must be absent: only AuthenticAMD has these leaves")]
    public void Apply_LeafOfAmdThatCannotBe_IsRefusedByItsPath(string overriding, string message) => IsRefused("zen3", overriding, message);

    private static void IsRefused(string preset, string overriding, string message)
    {
        var refused = Assert.Throws<Mmu86.Lab.Configuration.ConfigurationException>(() => MachineOverrides.Apply(MachineCatalogue.Preset(preset), [overriding]));
        Assert.Equal(message, refused.Errors[0].ToString());
    }

    private static uint Known(uint leaf, uint subleaf, CpuidRegister register) =>
        CpuidFeatures.All.Where(feature => (feature.Leaf, feature.Subleaf, feature.Register) == (leaf, subleaf, register))
            .Aggregate(0u, (bits, feature) => bits | (1u << feature.Bit));

    private static uint Hex(string text) => uint.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
