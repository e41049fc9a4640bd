using System.Numerics;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Swap;

/// <summary>How many pages an owner's next read takes along: more while those of earlier reads are asked for, one while slots are read at random. As Linux does for swap.</summary>
internal struct ReadAheadWindow
{
    // More were never read ahead since a read.
    private const int MostHits = 1 << 20;

    private uint _lastSlot;
    private int _lastPages;
    private int _hits;

    /// <summary>Before the first read: no slot is the neighbour of the last.</summary>
    public static ReadAheadWindow Start => new() { _lastSlot = uint.MaxValue - 1 };

    /// <summary>Writes it.</summary>
    public readonly void Save(StateWriter writer)
    {
        writer.Write(_lastSlot);
        writer.Write(_lastPages);
        writer.Write(_hits);
    }

    /// <summary>Reads it back.</summary>
    public void Load(StateReader reader)
    {
        _lastSlot = reader.ReadUInt32("windowSlot");
        _lastPages = reader.ReadInt32("windowPages", 0, SlotAllocator.ClusterSlots);
        _hits = reader.ReadInt32("windowHits", 0, MostHits);
    }

    /// <summary>Notes that a page read ahead was asked for.</summary>
    public void Hit() => _hits++;

    /// <summary>The size of the window around a slot that is read now.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="most">The largest window, a power of two.</param>
    public int Next(uint slot, int most)
    {
        bool isNeighbour = slot == _lastSlot + 1 || slot + 1 == _lastSlot;
        int pages = _hits != 0 ? (int)BitOperations.RoundUpToPowerOf2((uint)_hits + 2) : isNeighbour ? 2 : 1;

        // A window without hits shrinks by half, not at once.
        pages = Math.Min(Math.Max(pages, _lastPages / 2), most);
        _lastSlot = slot;
        _lastPages = pages;
        _hits = 0;
        return pages;
    }
}
