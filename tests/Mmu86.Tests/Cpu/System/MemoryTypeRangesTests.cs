using Mmu86.Cpu;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Cpu;

/// <summary>What the MTRRs say of an address. SDM 3, "Memory Type Range Registers (MTRRs)".</summary>
public sealed class MemoryTypeRangesTests
{
    private const ulong Reserved = ~0UL << 46;

    // A 16 MiB range of WB at 16 MiB with 1 MiB of UC and 1 MiB of WT in it. UC wins over WB, and so does WT.
    [Theory]
    [InlineData(0xC04UL, 0x0_0000UL, MemoryType.WriteBack)]
    [InlineData(0xC04UL, 0x1_0000UL, MemoryType.WriteThrough)]
    [InlineData(0xC04UL, 0x8_0000UL, MemoryType.Uncacheable)]
    [InlineData(0xC04UL, 0x8_4000UL, MemoryType.WriteCombining)]
    [InlineData(0xC04UL, 0xC_0000UL, MemoryType.WriteProtected)]
    [InlineData(0xC04UL, 0xF_F000UL, MemoryType.WriteBack)]
    [InlineData(0x804UL, 0x8_0000UL, MemoryType.WriteThrough)]
    [InlineData(0x004UL, 0x0_0000UL, MemoryType.Uncacheable)]
    [InlineData(0x804UL, 0xFF_FFFFUL, MemoryType.WriteThrough)]
    [InlineData(0x800UL, 0xFF_FFFFUL, MemoryType.Uncacheable)]
    [InlineData(0x804UL, 0x100_0000UL, MemoryType.WriteBack)]
    [InlineData(0x804UL, 0x120_0000UL, MemoryType.Uncacheable)]
    [InlineData(0x804UL, 0x12F_FFFFUL, MemoryType.Uncacheable)]
    [InlineData(0x804UL, 0x130_0000UL, MemoryType.WriteThrough)]
    [InlineData(0x804UL, 0x1FF_FFFFUL, MemoryType.WriteBack)]
    [Rule("M03")]
    public void TypeOf_Address_IsThatOfItsRange(ulong defaultType, ulong address, MemoryType expected)
    {
        var ranges = new MemoryTypeRanges();
        Write(0x2FF, defaultType);
        Write(0x250, 0x0404_0404_0404_0406);
        Write(0x258, 0x0404_0404_0404_0100);
        Write(0x268, 0x0404_0404_0404_0405);
        Write(0x26F, 0x0604_0404_0404_0404);
        Write(0x200, 0x100_0000 | 6);
        Write(0x201, 0x3FFF_FF00_0800);
        Write(0x202, 0x120_0000);
        Write(0x203, 0x3FFF_FFF0_0800);
        Write(0x204, 0x130_0000 | 4);
        Write(0x205, 0x3FFF_FFF0_0800);

        Assert.Equal(expected, ranges.TypeOf(new HostPhysicalAddress(address)));

        void Write(uint number, ulong value) => Assert.True(ranges.TryWrite(number, value, Reserved));
    }

    [Theory]
    [InlineData(0xBFFF_FFFFUL, MemoryType.WriteBack)]
    [InlineData(0xC000_0000UL, MemoryType.Uncacheable)]
    [InlineData(0xFFFF_FFFFUL, MemoryType.Uncacheable)]
    [InlineData(0x1_0000_0000UL, MemoryType.WriteBack)]
    public void SetAsFirmwareDoes_Always_LeavesTheHoleForDevicesUncacheable(ulong address, MemoryType expected)
    {
        var ranges = new MemoryTypeRanges();
        ranges.SetAsFirmwareDoes(Reserved);

        Assert.Equal(expected, ranges.TypeOf(new HostPhysicalAddress(address)));
    }
}
