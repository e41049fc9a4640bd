using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>The port to which firmware and test kernels write where they are. Kernels write to 0x80 to pass a moment, too.</summary>
public sealed class PostPort : IPortDevice, ISavedDevice
{
    /// <summary>The usual port.</summary>
    public const ushort Port = 0x80;

    /// <summary>Another port that some test kernels use; the same device may answer both.</summary>
    public const ushort AlternativePort = 0x190;

    /// <summary>How many ports the device takes at either place.</summary>
    public const int PortCount = 1;

    /// <summary>The last code written; null while there was none.</summary>
    public byte? LastCode { get; private set; }

    /// <summary>The last code written; all ones while there was none.</summary>
    public uint Read(ushort port, int size) => (PortBytes.Ones(size) & ~0xFFu) | (LastCode ?? 0xFF);

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size) => LastCode = (byte)value;

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write(LastCode);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        LastCode = reader.ReadOptionalByte("lastCode");
    }
}
