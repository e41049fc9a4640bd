using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>A port by which a guest ends the run: OUT of any width, whose value becomes the exit status.</summary>
/// <param name="stopper">Who ends the run.</param>
public sealed class DebugExit(IRunStopper stopper) : IPortDevice, ISavedDevice
{
    /// <summary>The port.</summary>
    public const ushort Port = 0xF4;

    /// <summary>How many ports the device takes.</summary>
    public const int PortCount = 1;

    /// <summary>The exit status, <c>(code &lt;&lt; 1) | 1</c> of the first code written; null while the guest wrote none.</summary>
    /// <remarks>32 bits wide. What the operating system keeps of a status, 8 bits, is for the one who exits to cut.</remarks>
    public int? ExitStatus { get; private set; }

    /// <summary>All ones: the port cannot be read.</summary>
    public uint Read(ushort port, int size) => PortBytes.Ones(size);

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        ExitStatus ??= unchecked((int)((value & PortBytes.Ones(size)) << 1 | 1));
        stopper.RequestStop();
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.Write((ulong?)(uint?)ExitStatus);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        ExitStatus = (int?)(uint?)reader.ReadOptional("exitStatus");
    }
}
