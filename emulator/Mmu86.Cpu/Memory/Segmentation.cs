using System.Runtime.CompilerServices;
using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>From logical to linear addresses. SDM 3, "Logical and Linear Addresses".</summary>
internal static unsafe class Segmentation
{
    /// <summary>
    /// Stands for the address of an access that its segment refuses: canonical with neither 48 nor 57 bits, nor with linear-address
    /// masking, so that no table of the filter has it and the translation raises #GP(0) or #SS(0) as for any such address.
    /// It begins a page, so that no access there is split.
    /// </summary>
    public const ulong Refused = 0x0100_8000_0000_0000;

    /// <summary>Where an access goes, in any mode.</summary>
    /// <param name="s">The state.</param>
    /// <param name="segment">One of the constants of <see cref="SegmentWindows"/>.</param>
    /// <param name="offset">The offset, already as wide as the address size.</param>
    /// <param name="size">Bytes accessed; 0 for an address that is only computed.</param>
    /// <param name="kind">Read or write.</param>
    /// <returns>The linear address, or <see cref="Refused"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Linear(CpuState* s, int segment, ulong offset, uint size, AccessKind kind)
    {
        SegmentWindow* window = (SegmentWindow*)&s->Segments + segment;
        ulong first = kind == AccessKind.Write ? window->WriteFirst : window->ReadFirst;
        ulong last = kind == AccessKind.Write ? window->WriteLast : window->ReadLast;
        if (size != 0 && (offset < first || offset + (size - 1) > last))
            return Refused;
        return (window->Base + offset) & ~s->AbsentAddressBits;
    }
}
