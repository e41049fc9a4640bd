using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>A ROM among the devices below 4 GiB: reads give its bytes, writes are dropped. Code is not fetched from it.</summary>
/// <param name="bytes">The ROM.</param>
public sealed class RomMemory(ReadOnlyMemory<byte> bytes) : IMmioDevice
{
    /// <inheritdoc/>
    public ulong Read(ulong offset, int size)
    {
        ulong value = 0;
        for (int i = 0; i < size; i++)
            value |= (offset + (ulong)i < (ulong)bytes.Length ? bytes.Span[(int)offset + i] : 0xFFUL) << (i * 8);
        return value;
    }

    /// <inheritdoc/>
    public void Write(ulong offset, ulong value, int size)
    {
    }
}
