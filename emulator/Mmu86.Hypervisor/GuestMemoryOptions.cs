using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <summary>What memory a guest is given, and how.</summary>
public sealed record GuestMemoryOptions
{
    /// <summary>Guest memory in bytes, the device hole not counted.</summary>
    public required ulong SizeInBytes { get; init; }

    /// <summary>The largest nested page used.</summary>
    public required PageSize PageSize { get; init; }

    /// <summary>The format of the tables: what the machine has.</summary>
    public required NestedFormat Format { get; init; }

    /// <summary>Whether the processor is to set accessed and dirty flags in EPT. AMD's nested tables always have them.</summary>
    public bool TracksAccesses { get; init; }

    /// <summary>Where swapped pages go; null where nothing is ever swapped.</summary>
    public IPageStore? Store { get; init; }

    /// <summary>Told which frames are resident; null for nobody.</summary>
    public IResidencyObserver? Residency { get; init; }
}
