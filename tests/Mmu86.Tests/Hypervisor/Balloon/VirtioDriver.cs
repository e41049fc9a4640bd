using System.Buffers.Binary;
using Mmu86.Devices;

namespace Mmu86.Tests.Hypervisor.Balloon;

/// <summary>A driver of a legacy virtio device as a guest would have it: it writes rings to the guest's memory and registers to ports.</summary>
internal sealed class VirtioDriver(VirtioPciTransport transport, IDeviceMemory memory)
{
    private const int AvailableOffset = VirtQueue.Size * 16;
    private const int UsedOffset = 4096;

    private readonly Dictionary<int, ulong> _rings = [];
    private readonly Dictionary<int, ushort> _offered = [];
    private readonly Dictionary<int, ushort> _nextDescriptor = [];

    /// <summary>What a driver does first: status 0, then acknowledged, and the features accepted.</summary>
    public void Begin(uint features)
    {
        transport.WritePort(0x12, 0, 1);
        transport.WritePort(0x12, 3, 1);
        transport.WritePort(0x04, features & transport.ReadPort(0x00, 4), 4);
    }

    public void Place(int queue, uint frame)
    {
        transport.WritePort(0x0E, (uint)queue, 2);
        transport.WritePort(0x08, frame, 4);
        _rings[queue] = (ulong)frame << 12;
        _offered[queue] = 0;
        _nextDescriptor[queue] = 0;
    }

    public void Ready() => transport.WritePort(0x12, 7, 1);

    /// <summary>Makes a chain available.</summary>
    /// <returns>Its head.</returns>
    public ushort Offer(int queue, params (ulong Address, uint Length, bool IsWritable)[] parts)
    {
        ushort head = _nextDescriptor[queue];
        for (int i = 0; i < parts.Length; i++)
        {
            bool isLast = i == parts.Length - 1;
            int index = (head + i) % VirtQueue.Size;
            WriteDescriptor(queue, index, parts[i].Address, parts[i].Length,
                (ushort)((isLast ? 0 : 1) | (parts[i].IsWritable ? 2 : 0)), (ushort)((index + 1) % VirtQueue.Size));
        }

        _nextDescriptor[queue] = (ushort)((head + parts.Length) % VirtQueue.Size);
        Publish(queue, head);
        return head;
    }

    public void WriteDescriptor(int queue, int index, ulong address, uint length, ushort flags, ushort next)
    {
        byte[] bytes = new byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, address);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), length);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(12), flags);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(14), next);
        memory.TryWrite(_rings[queue] + ((ulong)index * 16), bytes);
    }

    /// <summary>Puts a head into the available ring.</summary>
    public void Publish(int queue, ushort head)
    {
        memory.TryWrite(_rings[queue] + AvailableOffset + 4 + ((ulong)(_offered[queue] % VirtQueue.Size) * 2), BitConverter.GetBytes(head));
        SetAvailableIndex(queue, ++_offered[queue]);
    }

    public void SetAvailableIndex(int queue, ushort index) => memory.TryWrite(_rings[queue] + AvailableOffset + 2, BitConverter.GetBytes(index));

    public void SetNoInterrupt(int queue) => memory.TryWrite(_rings[queue] + AvailableOffset, BitConverter.GetBytes((ushort)1));

    public void Notify(int queue) => transport.WritePort(0x10, (uint)queue, 2);

    public ushort UsedIndex(int queue) => BitConverter.ToUInt16(Read(_rings[queue] + UsedOffset + 2, 2));

    public (uint Head, uint Written) Used(int queue, int entry)
    {
        byte[] bytes = Read(_rings[queue] + UsedOffset + 4 + ((ulong)(entry % VirtQueue.Size) * 8), 8);
        return (BitConverter.ToUInt32(bytes), BitConverter.ToUInt32(bytes, 4));
    }

    public byte Status => (byte)transport.ReadPort(0x12, 1);

    public byte TakeInterrupts() => (byte)transport.ReadPort(0x13, 1);

    public byte[] Read(ulong address, int length)
    {
        byte[] bytes = new byte[length];
        memory.TryRead(address, bytes);
        return bytes;
    }
}
