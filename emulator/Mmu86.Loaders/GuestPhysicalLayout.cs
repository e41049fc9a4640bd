using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Loaders;

/// <summary>Where a guest's RAM lies: below 3 GiB, and above 4 GiB what does not fit there.</summary>
/// <param name="SizeInBytes">RAM in bytes, the hole not counted.</param>
public readonly record struct GuestPhysicalLayout(ulong SizeInBytes)
{
    /// <summary>The first byte of the device hole.</summary>
    public static GuestPhysicalAddress HoleStart => new(HostMemory.HoleStart);

    /// <summary>The first byte above the device hole.</summary>
    public static GuestPhysicalAddress HoleEnd => new(HostMemory.HoleEnd);

    /// <summary>One past the last byte of RAM below the hole.</summary>
    public GuestPhysicalAddress LowTop => new(Math.Min(SizeInBytes, HoleStart.Value));

    /// <summary>One past the last byte of RAM above the hole; 4 GiB where there is none.</summary>
    public GuestPhysicalAddress HighTop => new(HoleEnd.Value + (SizeInBytes - LowTop.Value));

    /// <summary>One past the last byte of RAM, wherever that is.</summary>
    public GuestPhysicalAddress Top => SizeInBytes > HoleStart.Value ? HighTop : LowTop;

    /// <summary>Whether every byte of a range is RAM. False for a range that wraps around.</summary>
    public bool IsRam(GuestPhysicalAddress address, ulong length)
    {
        ulong end = unchecked(address.Value + length);
        if (end < address.Value)
            return false;
        return end <= LowTop.Value || (address.Value >= HoleEnd.Value && end <= HighTop.Value);
    }

    /// <summary>Says why a range is not RAM, for a message: "lies in the device hole" or "lies outside memory".</summary>
    public string Complaint(GuestPhysicalAddress address, ulong length)
    {
        ulong end = unchecked(address.Value + length);
        bool touchesHole = end >= address.Value && address.Value < HoleEnd.Value && end > HoleStart.Value;
        bool fitsOtherwise = end <= (SizeInBytes > HoleStart.Value ? HighTop.Value : HoleEnd.Value);
        return touchesHole && fitsOtherwise
            ? $"lies in the device hole ({HoleStart} to {HoleEnd})"
            : $"lies outside memory (0x{SizeInBytes:x} bytes)";
    }
}
