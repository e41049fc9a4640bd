using Mmu86.X86;

namespace Mmu86.Memory;

/// <summary>A device that answers a range of physical addresses.</summary>
public interface IMmioDevice
{
    /// <summary>Answers a load of 1, 2, 4 or 8 bytes at an offset from the start of the device's range.</summary>
    ulong Read(ulong offset, int size);

    /// <summary>Takes a store of 1, 2, 4 or 8 bytes at an offset from the start of the device's range.</summary>
    void Write(ulong offset, ulong value, int size);
}

/// <summary>The physical addresses that are not RAM. Unclaimed reads give all ones, unclaimed writes are dropped, both are counted.</summary>
public sealed class MmioBus
{
    private readonly List<Region> _regions = [];

    /// <summary>Addresses that the guest used and nobody answers.</summary>
    public UnclaimedAccesses Unclaimed { get; } = new();

    /// <summary>Gives a range to a device.</summary>
    /// <exception cref="InvalidOperationException">The range overlaps another.</exception>
    public void Attach(HostPhysicalAddress start, ulong length, IMmioDevice device)
    {
        foreach (Region region in _regions)
        {
            if (start.Value < region.Start + region.Length && region.Start < start.Value + length)
                throw new InvalidOperationException($"The range at {start} overlaps the device at H:0x{region.Start:x}.");
        }

        _regions.Add(new Region(start.Value, length, device));
    }

    /// <summary>A load of 1, 2, 4 or 8 bytes.</summary>
    public ulong Read(HostPhysicalAddress address, int size)
    {
        foreach (Region region in _regions)
        {
            if (address.Value - region.Start < region.Length)
                return region.Device.Read(address.Value - region.Start, size);
        }

        Unclaimed.NoteRead(address.Value);
        return size == 8 ? ulong.MaxValue : (1UL << (size * 8)) - 1;
    }

    /// <summary>A store of 1, 2, 4 or 8 bytes.</summary>
    public void Write(HostPhysicalAddress address, ulong value, int size)
    {
        foreach (Region region in _regions)
        {
            if (address.Value - region.Start < region.Length)
            {
                region.Device.Write(address.Value - region.Start, value, size);
                return;
            }
        }

        Unclaimed.NoteWrite(address.Value);
    }

    private readonly record struct Region(ulong Start, ulong Length, IMmioDevice Device);
}
