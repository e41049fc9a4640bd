using System.Buffers.Binary;
using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>A split virtqueue in a guest's memory, in the layout of legacy devices. VIRTIO 1.2, "Split Virtqueues".</summary>
/// <remarks>
/// Everything in it is the guest's word. What cannot be (an index out of range, a chain that goes round, a ring that is no RAM) breaks the queue:
/// nothing more is taken from it until the driver resets the device. There is no indirect descriptor, as the feature is not offered.
/// </remarks>
public sealed class VirtQueue : ISavedDevice
{
    /// <summary>Descriptors in the table, and entries in both rings.</summary>
    public const int Size = 128;

    private const int DescriptorBytes = 16;
    private const int UsedEntryBytes = 8;
    private const int RingHeaderBytes = 4;
    private const ulong Alignment = 4096;
    private const ushort FlagNext = 1;
    private const ushort FlagWritable = 2;
    private const ushort FlagNoInterrupt = 1;

    private readonly IDeviceMemory _memory;
    private ushort _taken;
    private ushort _returned;

    internal VirtQueue(IDeviceMemory memory) => _memory = memory;

    /// <summary>The frame in which it begins; 0 where the driver has not placed it.</summary>
    public uint PageFrameNumber { get; private set; }

    /// <summary>Whether it can be worked on.</summary>
    public bool IsReady => PageFrameNumber != 0 && !IsBroken;

    /// <summary>Whether something was found in it that cannot be.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>Whether the driver wants an interrupt for what is returned.</summary>
    public bool WantsInterrupt => !TryRead(Available, out ushort flags) || (flags & FlagNoInterrupt) == 0;

    private ulong Table => (ulong)PageFrameNumber << 12;

    private ulong Available => Table + (Size * DescriptorBytes);

    // Behind the available ring, which ends in the word for event indices, at the next multiple of 4096.
    private ulong Used => (Available + RingHeaderBytes + (Size * sizeof(ushort)) + sizeof(ushort) + Alignment - 1) & ~(Alignment - 1);

    /// <summary>How many buffers wait; 0 for a queue that is not ready.</summary>
    public int CountAvailable()
    {
        if (!IsReady)
            return 0;
        if (!TryRead(Available + sizeof(ushort), out ushort index))
            return Break();
        int count = (ushort)(index - _taken);
        return count <= Size ? count : Break();
    }

    /// <summary>Takes the next buffer.</summary>
    /// <returns>False where none waits, or the queue is broken.</returns>
    public bool TryTake(out VirtioChain chain)
    {
        chain = null!;
        if (CountAvailable() == 0)
            return false;
        if (!TryRead(Available + RingHeaderBytes + ((ulong)(_taken % Size) * sizeof(ushort)), out ushort head) || !TryFollow(head, out chain))
        {
            Break();
            return false;
        }

        _taken++;
        return true;
    }

    /// <summary>Gives a buffer back to the driver.</summary>
    /// <param name="head">Its <see cref="VirtioChain.Head"/>.</param>
    /// <param name="written">How many bytes the device wrote to it.</param>
    public void Return(ushort head, uint written)
    {
        Span<byte> entry = stackalloc byte[UsedEntryBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(entry, head);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], written);
        Span<byte> index = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(index, (ushort)(_returned + 1));
        if (!IsReady)
            return;
        if (_memory.TryWrite(Used + RingHeaderBytes + ((ulong)(_returned % Size) * UsedEntryBytes), entry) && _memory.TryWrite(Used + sizeof(ushort), index))
            _returned++;
        else
            Break();
    }

    /// <summary>The queue is found broken by what its buffers say.</summary>
    /// <returns>0.</returns>
    public int Break()
    {
        IsBroken = true;
        return 0;
    }

    /// <summary>The driver places the queue, or takes it away with 0. It begins anew.</summary>
    internal void Place(uint frame)
    {
        PageFrameNumber = frame;
        IsBroken = false;
        _taken = 0;
        _returned = 0;
    }

    private bool TryFollow(ushort head, out VirtioChain chain)
    {
        chain = new VirtioChain(_memory, head);
        Span<byte> descriptor = stackalloc byte[DescriptorBytes];
        ushort index = head;
        bool sawWritable = false;
        for (int i = 0; i < Size; i++)
        {
            if (index >= Size || !_memory.TryRead(Table + ((ulong)index * DescriptorBytes), descriptor))
                return false;
            ushort flags = BinaryPrimitives.ReadUInt16LittleEndian(descriptor[12..]);
            bool isWritable = (flags & FlagWritable) != 0;
            if ((flags & ~(FlagNext | FlagWritable)) != 0 || (sawWritable && !isWritable))
                return false;
            sawWritable = isWritable;
            chain.Add(BinaryPrimitives.ReadUInt64LittleEndian(descriptor), BinaryPrimitives.ReadUInt32LittleEndian(descriptor[8..]), isWritable);
            if ((flags & FlagNext) == 0)
                return true;
            index = BinaryPrimitives.ReadUInt16LittleEndian(descriptor[14..]);
        }

        return false; // more than there are descriptors: it goes round
    }

    private bool TryRead(ulong address, out ushort value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ushort)];
        bool isRam = _memory.TryRead(address, bytes);
        value = BinaryPrimitives.ReadUInt16LittleEndian(bytes);
        return isRam;
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write(PageFrameNumber);
        writer.Write(IsBroken);
        writer.Write(_taken);
        writer.Write(_returned);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        PageFrameNumber = reader.ReadUInt32("pageFrameNumber");
        IsBroken = reader.ReadBoolean("broken");
        _taken = reader.ReadUInt16("taken");
        _returned = reader.ReadUInt16("returned");
    }
}
