using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Mmu86.Memory;

namespace Mmu86.Paging;

/// <summary>One slot of the filter: 16 bytes, so that an index is one shift and one mask.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct FilterSlot
{
    /// <summary>The linear address of the last byte of the 4 KiB page (<see cref="TagOf"/>), or <see cref="TranslationFilter.Empty"/>.</summary>
    public ulong Tag;

    /// <summary>Data: backing address minus linear address. Fetch: the decoder's pointer for the page.</summary>
    public ulong Payload;

    /// <summary>The tag of the page of an address.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong TagOf(ulong address) => address | 0xFFF;
}

/// <summary>The shortcut of the hot path: pages whose next lookup in the modelled first level would be a hit that changes nothing.</summary>
/// <remarks>
/// A slot carries no tag but the page: it holds for the current context only. User, supervisor and supervisor-with-AC have a
/// bank each; a bank is a read table followed by a write table. Fetches have a table for user and one for supervisor.
/// The hot path indexes with the low bits of the page number and compares the tag with that of the access's *last* byte, which fails by
/// itself for a page-crossing access.
/// </remarks>
public sealed unsafe class TranslationFilter : IDisposable
{
    /// <summary>The fewest slots of a table: as many as a 2 MiB page has 4 KiB pages, so that its slots are one aligned run of a table.</summary>
    public const int FewestSlots = 512;

    /// <summary>The most slots of a table: 2 MiB, which a second-level cache of the real machine still holds.</summary>
    public const int MostSlots = 1 << 17;

    /// <summary>Banks of the data tables: <see cref="AccessMode.User"/>, <see cref="AccessMode.Supervisor"/>, <see cref="AccessMode.SupervisorWithAc"/>.</summary>
    public const int Banks = 3;

    /// <summary>The tag of an empty slot: no page has it, and memory that nobody touched is empty.</summary>
    public const ulong Empty = 0;

    private readonly Reservation _memory;

    /// <summary>Makes an empty filter.</summary>
    /// <param name="slots">Slots of each table: a power of two, <see cref="FewestSlots"/> to <see cref="MostSlots"/>.</param>
    public TranslationFilter(int slots)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(slots, FewestSlots);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(slots, MostSlots);
        if (!BitOperations.IsPow2(slots))
            throw new ArgumentOutOfRangeException(nameof(slots), slots, "Not a power of two.");
        Slots = slots;
        _memory = new Reservation((ulong)sizeof(FilterSlot) * (ulong)slots * ((2 * Banks) + 2));
    }

    /// <summary>Slots in each table.</summary>
    public int Slots { get; }

    /// <summary>What remains of an address shifted right by 8: the byte offset of its slot in a table.</summary>
    public ulong OffsetMask => (ulong)(Slots - 1) * (ulong)sizeof(FilterSlot);

    /// <summary>The read table of a bank; its write table follows at <see cref="Slots"/>.</summary>
    internal FilterSlot* DataTable(AccessMode bank) => (FilterSlot*)_memory.Pointer + ((int)bank * 2 * Slots);

    /// <summary>The fetch table for user or supervisor mode.</summary>
    internal FilterSlot* FetchTable(AccessMode mode) => (FilterSlot*)_memory.Pointer + (((2 * Banks) + (mode == AccessMode.User ? 0 : 1)) * Slots);

    /// <summary>The slot in which the page of an address would be.</summary>
    /// <param name="table">The table.</param>
    /// <param name="address">Any address.</param>
    /// <param name="offsetMask">The <see cref="OffsetMask"/>.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FilterSlot* Slot(FilterSlot* table, ulong address, ulong offsetMask) =>
        (FilterSlot*)((byte*)table + ((address >> 8) & offsetMask));

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();
}
