using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>Everything outside memory that decides how an address is translated.</summary>
public readonly record struct PagingContext
{
    public required Cr0 Cr0 { get; init; }

    /// <summary>CR3 as the guest reads it: PCID in bits 11:0 while CR4.PCIDE=1. Bit 63 is never stored.</summary>
    public required ulong Cr3 { get; init; }

    public required Cr4 Cr4 { get; init; }

    public required Efer Efer { get; init; }

    /// <summary>The EPT pointer, or 0 while EPT is off. A valid EPTP is never 0 (bits 5:3 hold the walk length). On machines with AMD's nested
    /// paging an <see cref="NptPointer"/>.</summary>
    public required ulong Eptp { get; init; }

    /// <summary>The virtual-processor identifier, or the ASID; 0 while EPT is off.</summary>
    public required ushort Vpid { get; init; }

    /// <summary>The further controls of EPT; null where all are off.</summary>
    public NestedControls? Nested { get; init; }

    /// <summary>The process-context identifier: CR3[11:0] while CR4.PCIDE=1, else 0.</summary>
    public ushort Pcid => (Cr4 & Cr4.PcidEnable) != 0 ? (ushort)(Cr3 & 0xFFF) : (ushort)0;

    /// <summary>The PDPTE registers, which PAE paging uses instead of the table at CR3.</summary>
    public PdpteRegisters Pdptes { get; init; }

    /// <summary>PKRU: access-disable and write-disable of each protection key, for user-mode addresses.</summary>
    public uint Pkru { get; init; }

    /// <summary>IA32_PKRS: the same for supervisor-mode addresses.</summary>
    public uint Pkrs { get; init; }

    /// <summary>IA32_PAT: eight memory types, a byte each.</summary>
    public ulong Pat { get; init; }

    /// <summary>The MTRRs; null where there are none, and all memory is write-back.</summary>
    public IMemoryTypeRanges? MemoryTypes { get; init; }

    /// <summary>Whether CR0.CD=1: every access is uncacheable.</summary>
    public bool IsCacheDisabled => (Cr0 & Cr0.CacheDisable) != 0;

    /// <summary>How linear addresses are translated. SDM 3, "Paging Modes and Control Bits".</summary>
    public GuestPagingMode Mode => !IsPaging ? GuestPagingMode.None
        : (Cr4 & Cr4.PhysicalAddressExtension) == 0 ? GuestPagingMode.Bits32
        : (Efer & Efer.LongModeEnable) == 0 ? GuestPagingMode.Pae
        : (Cr4 & Cr4.LinearAddress57) == 0 ? GuestPagingMode.FourLevel
        : GuestPagingMode.FiveLevel;

    /// <summary>Whether CR0.PG=1.</summary>
    public bool IsPaging => (Cr0 & Cr0.Paging) != 0;

    /// <summary>Whether EPT is on.</summary>
    public bool IsNested => Eptp != 0;
}
