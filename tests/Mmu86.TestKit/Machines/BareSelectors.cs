using Mmu86.Cpu;

namespace Mmu86.TestKit.Machines;

/// <summary>The GDT of a <see cref="BareMachine"/>. From <see cref="Free"/> on a test may put descriptors of its own.</summary>
public static class BareSelectors
{
    public const ushort KernelCode = 0x08;
    public const ushort KernelData = 0x10;

    /// <summary>32-bit code for ring 3: what SYSRET expects in front of the next two.</summary>
    public const ushort UserCompatibility = 0x1B;

    public const ushort UserData = 0x23;
    public const ushort UserCode = 0x2B;

    /// <summary>Two entries long.</summary>
    public const ushort Task = 0x30;

    public const ushort Free = 0x40;

    /// <summary>64-bit code, execute and read, accessed.</summary>
    public const ulong LongCode = 0x00AF_9B00_0000_FFFF;

    /// <summary>Data, read and write, accessed.</summary>
    public const ulong FlatData = 0x00CF_9300_0000_FFFF;

    /// <summary>32-bit code, execute and read, accessed.</summary>
    public const ulong FlatCode32 = 0x00CF_9B00_0000_FFFF;

    /// <summary>DPL 3.</summary>
    public const ulong UserLevel = 3UL << 45;

    /// <summary>Bit 47 of a descriptor.</summary>
    public const ulong Present = 1UL << 47;

    /// <summary>The whole table.</summary>
    public static IEnumerable<(ushort Selector, ulong Value)> Descriptors(ulong tss, int tssLimit)
    {
        const ulong BusyTss = 0x8BUL << 40;
        yield return (0, 0);
        yield return (KernelCode, LongCode);
        yield return (KernelData, FlatData);
        yield return (UserCompatibility, FlatCode32 | UserLevel);
        yield return (UserData, FlatData | UserLevel);
        yield return (UserCode, LongCode | UserLevel);
        yield return (Task, BusyTss | (uint)tssLimit | ((tss & 0xFF_FFFF) << 16));
        yield return (Task + 8, 0);
    }

    /// <summary>A segment register with one of the flat segments of the table.</summary>
    public static SegmentRegister Segment(ushort selector)
    {
        ulong descriptor = Descriptors(0, 0).First(entry => entry.Selector == selector).Value;
        return new SegmentRegister(selector, 0, uint.MaxValue, (ushort)((descriptor >> 40) & 0xF0FF));
    }
}
