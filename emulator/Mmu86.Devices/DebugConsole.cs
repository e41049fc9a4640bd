using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>A port that takes bytes for the log, without any protocol.</summary>
/// <param name="sink">Where the bytes go.</param>
public sealed class DebugConsole(ISerialSink sink) : IPortDevice
{
    /// <summary>The port.</summary>
    public const ushort Port = 0xE9;

    /// <summary>Another port, to which firmware of virtual machines writes; the same device may answer both.</summary>
    public const ushort FirmwarePort = 0x402;

    /// <summary>How many ports the device takes.</summary>
    public const int PortCount = 1;

    /// <summary>E9H at either port, by which guests find out that there is a console.</summary>
    public uint Read(ushort port, int size) => (PortBytes.Ones(size) & ~0xFFu) | Port;

    /// <summary>Sends the low byte; what a wider OUT brings belongs to the ports above, where nobody is.</summary>
    public void Write(ushort port, uint value, int size) => sink.Write((byte)value);
}
