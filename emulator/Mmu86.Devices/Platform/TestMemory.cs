using System.Buffers.Binary;
using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>The memory of a test device: 64 KiB that behave as RAM and are reached as a device is.</summary>
public sealed class TestMemory : IMmioDevice, ISavedDevice
{
    /// <summary>The first physical address.</summary>
    public const ulong Address = 0xFF00_0000;

    /// <summary>Its size in bytes.</summary>
    public const int SizeInBytes = 0x1_0000;

    // Accesses are at most 8 bytes and stay in the range; those at its end need no second thought.
    private readonly byte[] _bytes = new byte[SizeInBytes + sizeof(ulong)];

    /// <inheritdoc/>
    public ulong Read(ulong offset, int size) => BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan((int)offset)) & Mask(size);

    /// <inheritdoc/>
    public void Write(ulong offset, ulong value, int size)
    {
        Span<byte> at = _bytes.AsSpan((int)offset);
        ulong kept = BinaryPrimitives.ReadUInt64LittleEndian(at) & ~Mask(size);
        BinaryPrimitives.WriteUInt64LittleEndian(at, kept | (value & Mask(size)));
    }

    private static ulong Mask(int size) => size >= 8 ? ulong.MaxValue : (1UL << (size * 8)) - 1;

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.WriteArray<byte>(_bytes);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        reader.ReadArray<byte>("bytes", _bytes);
    }
}
