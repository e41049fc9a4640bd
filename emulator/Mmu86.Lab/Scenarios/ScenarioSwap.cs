using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Swap;

namespace Mmu86.Lab.Scenarios;

/// <summary>Where the pages of a scenario go that have no frame.</summary>
public sealed record ScenarioSwap
{
    // Enough that the device's thread is never without work while a barrier hands out clusters.
    private const int QueuedWrites = 64;

    /// <summary>The file; null for one beside other temporary files.</summary>
    public required string? File { get; init; }

    /// <summary>Bytes for pages.</summary>
    public required ulong SizeInBytes { get; init; }

    /// <summary>The device whose times it has.</summary>
    public required SwapDeviceTimes Device { get; init; }

    /// <summary>Bytes of compressed pages that stay in memory; 0 for none.</summary>
    public required ulong CompressedPoolBytes { get; init; }

    /// <summary>When the file takes its room.</summary>
    public required SwapFileAllocation Allocation { get; init; }

    /// <summary>Makes it, the file too.</summary>
    /// <exception cref="SwapFileException">The file cannot be made.</exception>
    public HostSwap Create(VirtualHost host)
    {
        var device = new FileSwapDevice(new SwapFileOptions
        {
            Path = File ?? Path.Combine(Path.GetTempPath(), $"mmu86-{Path.GetRandomFileName()}.swap"),
            SizeInBytes = SizeInBytes,
            Allocation = Allocation,
            QueuedWrites = QueuedWrites,
        });
        try
        {
            return new HostSwap(host, new SwapSpace(device, new SwapDeviceModel(Device), SwapSpaceOptions.Standard with { CompressedPoolBytes = CompressedPoolBytes }));
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }
}
