using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>The ports of a test device: eight bytes that read as they were written; a doubleword written to 0xE4 drops cached translations of a page.</summary>
/// <param name="translations">Who drops them.</param>
public sealed class TestLatch(ICachedTranslations translations) : IPortDevice, ISavedDevice
{
    /// <summary>The first port.</summary>
    public const ushort FirstPort = 0xE0;

    /// <summary>How many ports the device takes.</summary>
    public const int PortCount = 8;

    /// <summary>The port to which the physical address of a page is written whose cached translations go.</summary>
    public const ushort DropPort = 0xE4;

    private readonly byte[] _bytes = new byte[PortCount];

    /// <inheritdoc/>
    public uint Read(ushort port, int size)
    {
        uint value = PortBytes.Ones(size);
        for (int i = 0; i < size && port - FirstPort + i < PortCount; i++)
            value = (value & ~(0xFFu << (i * 8))) | ((uint)_bytes[port - FirstPort + i] << (i * 8));
        return value;
    }

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        for (int i = 0; i < size && port - FirstPort + i < PortCount; i++)
            _bytes[port - FirstPort + i] = (byte)(value >> (i * 8));
        if (port == DropPort && size == sizeof(uint))
            translations.DropPage(value);
    }

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
