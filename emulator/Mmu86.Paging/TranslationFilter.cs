using System.Runtime.InteropServices;
using Mmu86.Memory;

namespace Mmu86.Paging;

/// <summary>One slot of the filter: 16 bytes, so that an index is one shift and one mask.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct FilterSlot
{
    /// <summary>The linear address of the 4 KiB page, or <see cref="TranslationFilter.Empty"/>.</summary>
    public ulong Tag;

    /// <summary>Data: backing address minus linear address. Fetch: the decoder's pointer for the page.</summary>
    public ulong Payload;
}

/// <summary>The shortcut of the hot path: pages whose next lookup in the modelled first level would be a hit that changes nothing.</summary>
/// <remarks>
/// A slot carries no tag but the page: it holds for the current context only. User, supervisor and supervisor-with-AC have a
/// bank each; a bank is a read table followed by a write table. Fetches have a table for user and one for supervisor.
/// The hot path indexes with <c>(address >> 12) &amp; (Slots - 1)</c> and compares the tag with the page of the access's
/// *last* byte, which fails by itself for a page-crossing access.
/// </remarks>
public sealed unsafe class TranslationFilter : IDisposable
{
    /// <summary>Slots in each table.</summary>
    public const int Slots = 256;

    /// <summary>Banks of the data tables: <see cref="AccessMode.User"/>, <see cref="AccessMode.Supervisor"/>, <see cref="AccessMode.SupervisorWithAc"/>.</summary>
    public const int Banks = 3;

    /// <summary>The tag of an empty slot: no page has an address with bit 0 set.</summary>
    public const ulong Empty = 1;

    private readonly Reservation _memory = new((ulong)(sizeof(FilterSlot) * Slots * ((2 * Banks) + 2)));

    /// <summary>Makes an empty filter.</summary>
    public TranslationFilter() => Clear();

    /// <summary>The read table of a bank; its write table follows at <see cref="Slots"/>.</summary>
    internal FilterSlot* DataTable(AccessMode bank) => (FilterSlot*)_memory.Pointer + ((int)bank * 2 * Slots);

    /// <summary>The fetch table for user or supervisor mode.</summary>
    internal FilterSlot* FetchTable(AccessMode mode) => (FilterSlot*)_memory.Pointer + (((2 * Banks) + (mode == AccessMode.User ? 0 : 1)) * Slots);

    /// <summary>Empties every table.</summary>
    public void Clear()
    {
        FilterSlot* slot = (FilterSlot*)_memory.Pointer;
        for (int i = 0; i < Slots * ((2 * Banks) + 2); i++)
            slot[i].Tag = Empty;
    }

    /// <inheritdoc/>
    public void Dispose() => _memory.Dispose();
}
