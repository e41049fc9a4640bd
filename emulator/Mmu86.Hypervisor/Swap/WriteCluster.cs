using Mmu86.Memory;

namespace Mmu86.Hypervisor.Swap;

/// <summary>Neighbouring pages of one owner that are written at once.</summary>
internal sealed class WriteCluster(int mostPages)
{
    private readonly byte[] _bytes = new byte[mostPages * SwapSlot.SizeInBytes];
    private uint _first;

    /// <summary>Whose pages they are.</summary>
    public SwapOwner Owner { get; private set; } = null!;

    /// <summary>Pages gathered.</summary>
    public int Pages { get; private set; }

    /// <summary>Whether no other page fits.</summary>
    public bool IsFull => Pages == mostPages;

    /// <summary>The first byte on the device.</summary>
    public ulong Offset => (ulong)_first * SwapSlot.SizeInBytes;

    /// <summary>What is written.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes.AsMemory(0, Pages * SwapSlot.SizeInBytes);

    /// <summary>What the device gave for the write.</summary>
    public long Ticket { get; set; }

    /// <summary>Virtual nanoseconds at which the write is complete.</summary>
    public ulong CompleteAt { get; set; }

    /// <summary>Begins with the first page's slot.</summary>
    public void Begin(SwapOwner owner, uint slot)
    {
        Owner = owner;
        Pages = 0;
        _first = slot;
    }

    /// <summary>Whether a slot is the next one.</summary>
    public bool IsNext(uint slot) => slot == _first + (uint)Pages;

    /// <summary>Whether a slot is among the gathered.</summary>
    public bool Contains(uint slot) => slot - _first < (uint)Pages;

    /// <summary>Adds the page of the next slot.</summary>
    public void Add(ReadOnlySpan<byte> page) => page.CopyTo(_bytes.AsSpan(SwapSlot.SizeInBytes * Pages++));

    /// <summary>Writes it.</summary>
    public void Save(StateWriter writer)
    {
        writer.Write(Owner.Number);
        writer.Write(_first);
        writer.Write(CompleteAt);
        writer.WriteArray(Bytes.Span);
    }

    /// <summary>Reads it back into a new one.</summary>
    public void Load(StateReader reader, Func<int, SwapOwner> ownerOf)
    {
        SwapOwner owner = ownerOf(reader.ReadInt32("owner", 0, int.MaxValue));
        uint first = reader.ReadUInt32("firstSlot");
        CompleteAt = reader.ReadUInt64("completeAt");
        byte[] bytes = reader.ReadBytes("bytes", _bytes.Length);
        if (bytes.Length == 0 || bytes.Length % SwapSlot.SizeInBytes != 0 || first > int.MaxValue)
            throw reader.Refuse("bytes", $"are {bytes.Length} from slot {first} on, which is no cluster");
        Begin(owner, first);
        for (int at = 0; at < bytes.Length; at += SwapSlot.SizeInBytes)
            Add(bytes.AsSpan(at, SwapSlot.SizeInBytes));
    }

    /// <summary>The slot of the i-th page.</summary>
    public uint Slot(int i) => _first + (uint)i;

    /// <summary>The i-th page.</summary>
    public ReadOnlySpan<byte> Page(int i) => _bytes.AsSpan(SwapSlot.SizeInBytes * i, SwapSlot.SizeInBytes);

    /// <summary>The page of a slot that is among them.</summary>
    public ReadOnlySpan<byte> PageOf(uint slot) => Page((int)(slot - _first));
}
