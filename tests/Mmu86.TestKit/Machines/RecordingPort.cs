using Mmu86.Memory;

namespace Mmu86.TestKit.Machines;

/// <summary>A port device that writes down what it was told and answers a counter.</summary>
public sealed class RecordingPort : IPortDevice
{
    /// <summary>Every write: port, value, size in bytes.</summary>
    public List<(ushort Port, uint Value, int Size)> Writes { get; } = [];

    /// <summary>How often it was read; the next answer.</summary>
    public uint Reads { get; private set; }

    /// <summary>Called at each write.</summary>
    public Action? Written { get; set; }

    /// <inheritdoc/>
    public uint Read(ushort port, int size) => Reads++;

    /// <inheritdoc/>
    public void Write(ushort port, uint value, int size)
    {
        Writes.Add((port, value, size));
        Written?.Invoke();
    }
}
