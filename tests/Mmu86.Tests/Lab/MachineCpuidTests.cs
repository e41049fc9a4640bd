using System.Runtime.InteropServices;
using System.Text;
using Mmu86.Cpu;
using Mmu86.Lab.Machines;
using Xunit;

namespace Mmu86.Tests.Lab;

public sealed class MachineCpuidTests
{
    private readonly MachineCpuid _skylake = new(MachineCatalogue.Preset("skylake").Cpuid);

    [Fact]
    public void Leaf0_Skylake_IsTheVendorInItsOrder()
    {
        CpuidResult leaf = _skylake.Read(0, 0);
        Assert.Equal(7u, leaf.Eax);
        Assert.Equal("GenuineIntel", Text(leaf.Ebx, leaf.Edx, leaf.Ecx));
    }

    [Fact]
    public void Leaf1_Skylake_HasTheSignatureOfTheDump() => Assert.Equal(0x506E3u, _skylake.Read(1, 0).Eax);

    [Fact]
    public void Leaf1_Skylake_HasPcidAndPae()
    {
        CpuidResult leaf = _skylake.Read(1, 0);
        Assert.Equal(1u, (leaf.Ecx >> 17) & 1);
        Assert.Equal(1u, (leaf.Edx >> 6) & 1);
        Assert.Equal(0u, leaf.Edx & 1); // no x87 yet
        Assert.Equal(leaf.Edx, _skylake.HardwareCapabilities);
    }

    [Fact]
    public void Leaf2_Skylake_HasEveryByteWhereTheDumpHasIt()
    {
        CpuidResult leaf = _skylake.Read(2, 0);
        Assert.Equal(new CpuidResult(0x7603_6301, 0x00F0_B6FF, 0, 0x00C3_0000), leaf);
        Assert.All(new[] { leaf.Eax, leaf.Ebx, leaf.Ecx, leaf.Edx }, register => Assert.Equal(0u, register >> 31));
    }

    [Fact]
    public void Leaf7_Skylake_HasSmepSmapAndInvpcid()
    {
        Assert.Equal((1u << 0) | (1u << 7) | (1u << 10) | (1u << 20) | (1u << 23), _skylake.Read(7, 0).Ebx);
        Assert.Equal(default, _skylake.Read(7, 1));
    }

    // The words of a Skylake client part. MONITOR is left out on purpose: see the preset's sources.
    [Theory]
    [InlineData(1u, 0u, CpuidRegister.Ecx, 0x7FFA_FBBFu & ~(1u << 3))]
    [InlineData(1u, 0u, CpuidRegister.Edx, 0xBFEB_FBFFu)]
    [InlineData(7u, 0u, CpuidRegister.Ebx, 0x029C_6FBFu)]
    [InlineData(7u, 0u, CpuidRegister.Ecx, 0u)]
    [InlineData(7u, 1u, CpuidRegister.Eax, 0u)]
    [InlineData(0x8000_0001u, 0u, CpuidRegister.Ecx, 0x0000_0121u)]
    [InlineData(0x8000_0001u, 0u, CpuidRegister.Edx, 0x2C10_0800u)]
    public void Features_Skylake_AreThoseOfTheDumpThatMmu86Has(uint leaf, uint subleaf, CpuidRegister register, uint dump)
    {
        uint known = CpuidFeatures.All.Where(feature => (feature.Leaf, feature.Subleaf, feature.Register) == (leaf, subleaf, register))
            .Aggregate(0u, (bits, feature) => bits | (1u << feature.Bit));
        CpuidResult read = _skylake.Read(leaf, subleaf);
        uint answer = register switch { CpuidRegister.Eax => read.Eax, CpuidRegister.Ebx => read.Ebx, CpuidRegister.Ecx => read.Ecx, _ => read.Edx };
        Assert.Equal(dump & known, answer);
    }

    [Theory]
    [InlineData("ideal")]
    [InlineData("uncached")]
    public void Features_OfMachinesThatDifferInTheirMmu_AreSkylakes(string name) =>
        Assert.Equal(MachineCatalogue.Preset("skylake").Cpuid.Features, MachineCatalogue.Preset(name).Cpuid.Features);

    [Fact]
    public void Leaf5_WithMonitor_HasTheLineAndWithoutNothing()
    {
        var cpuid = new MachineCpuid(MachineCatalogue.Preset("skylake").Cpuid with { Features = ["monitor"] });

        Assert.Equal(new CpuidResult(64, 64, 0, 0), cpuid.Read(5, 0));
        Assert.Equal(1u << 3, cpuid.Read(1, 0).Ecx);
        Assert.Equal(default, _skylake.Read(5, 0));
    }

    [Theory]
    [InlineData("umip", 0u, 2)]
    [InlineData("pku", 0u, 3)]
    [InlineData("la57", 0u, 16)]
    [InlineData("pks", 0u, 31)]
    [InlineData("lass", 1u, 6)]
    [InlineData("lam", 1u, 26)]
    public void Leaf7_FeatureOfPaging_IsItsBitAlone(string feature, uint subleaf, int bit)
    {
        var cpuid = new MachineCpuid(MachineCatalogue.Preset("skylake").Cpuid with { Features = [feature] });

        CpuidResult first = cpuid.Read(7, 0);
        CpuidResult second = cpuid.Read(7, 1);

        Assert.Equal(subleaf, first.Eax);
        Assert.Equal(subleaf == 0 ? 1u << bit : 0, first.Ecx);
        Assert.Equal(subleaf == 1 ? 1u << bit : 0, second.Eax);
    }

    [Fact]
    public void ExtendedLeaves_Skylake_AreBrandAndWidths()
    {
        Assert.Equal(0x8000_0008u, _skylake.Read(0x8000_0000, 0).Eax);
        string brand = string.Concat(Enumerable.Range(2, 3).Select(i => _skylake.Read(0x8000_0000u + (uint)i, 0)).Select(leaf => Text(leaf.Eax, leaf.Ebx, leaf.Ecx, leaf.Edx)));
        Assert.Equal("Intel(R) Core(TM) i5-6400T CPU @ 2.20GHz", brand.TrimEnd('\0'));
        Assert.Equal(0x3027u, _skylake.Read(0x8000_0008, 0).Eax);
        Assert.Equal(1u, (_skylake.Read(0x8000_0001, 0).Edx >> 29) & 1);
    }

    [Theory]
    [InlineData(8u)]
    [InlineData(0x4000_0000u)]
    [InlineData(0x8000_0009u)]
    [InlineData(uint.MaxValue)]
    public void UnknownLeaf_Always_IsTheHighestBasicLeaf(uint leaf) => Assert.Equal(_skylake.Read(7, 0), _skylake.Read(leaf, 0));

    [Fact]
    public void Signature_FamilyAbove15_IsExtended()
    {
        CpuidDescription zen = MachineCatalogue.Preset("skylake").Cpuid with { Family = 0x19, Model = 0x21, Stepping = 2 };
        Assert.Equal(0x00A2_0F12u, new MachineCpuid(zen).Read(1, 0).Eax);
    }

    private static string Text(params uint[] words) => Encoding.ASCII.GetString(MemoryMarshal.AsBytes(words.AsSpan()));
}
