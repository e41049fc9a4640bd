using Mmu86.Hypervisor.Swap;

namespace Mmu86.Lab;

/// <summary>The disk of a bare guest in a virtual machine.</summary>
public sealed record DiskOptions
{
    /// <summary>The device where nothing else is asked for.</summary>
    public const string DefaultDevice = "ssd";

    /// <summary>The largest disk in bytes: that of the largest memory.</summary>
    public const ulong MaximumBytes = SizePerMemory * RunOptions.MaximumMemoryBytes;

    // Room for all of a guest's memory and as much again. What is never written takes no room of ours.
    private const ulong SizePerMemory = 2;

    /// <summary>Bytes that it holds, a multiple of 4096 of at most <see cref="MaximumBytes"/>.</summary>
    public required ulong SizeInBytes { get; init; }

    /// <summary>The device whose times it has.</summary>
    public required SwapDeviceTimes Device { get; init; }

    /// <summary>What a machine has of which nothing else is said: twice its memory, as fast as an SSD.</summary>
    /// <param name="memoryBytes">Guest-physical memory in bytes.</param>
    public static DiskOptions For(ulong memoryBytes) => new() { SizeInBytes = SizePerMemory * memoryBytes, Device = SwapDeviceTimes.Find(DefaultDevice)! };
}
