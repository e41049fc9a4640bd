using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>What VMRUN looks at for nested paging: the host's registers, and fields of the VMCB. APM 2, "Nested Paging".</summary>
public readonly record struct NestedPagingHost
{
    /// <summary>nCR3. PCD and PWT are dropped.</summary>
    public required ulong NestedCr3 { get; init; }

    /// <summary>The host's CR0: without paging there is no nested paging.</summary>
    public required Cr0 Cr0 { get; init; }

    /// <summary>The host's CR4: PAE decides with EFER.LMA on the format, LA57 gives five levels.</summary>
    public required Cr4 Cr4 { get; init; }

    /// <summary>The host's EFER.</summary>
    public required Efer Efer { get; init; }

    /// <summary>The VMCB's word at 090h, of which bits 3 (guest-mode execute trap) and 6 (read-only guest page tables) count here.</summary>
    public required ulong Control { get; init; }

    /// <summary>gPAT: eight memory types of the guest, a byte each.</summary>
    public required ulong GuestPat { get; init; }

    /// <summary>The ASID; 0 is the host's.</summary>
    public required uint Asid { get; init; }

    /// <summary>Whether every byte of gPAT is a memory type: 2 and 3 are none, and there are three bits.</summary>
    internal bool IsPatValid
    {
        get
        {
            for (int shift = 0; shift < 64; shift += 8)
            {
                if ((byte)(GuestPat >> shift) is 2 or 3 or > 7)
                    return false;
            }

            return true;
        }
    }
}
