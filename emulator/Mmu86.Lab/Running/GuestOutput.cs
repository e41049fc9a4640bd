using Mmu86.Devices;

namespace Mmu86.Lab.Running;

/// <summary>Where the bytes of a guest go.</summary>
/// <param name="Standard">Descriptor 1 of a process, or the serial port.</param>
/// <param name="Error">Descriptor 2 of a process.</param>
/// <param name="Debug">The debug console.</param>
public sealed record GuestOutput(Stream Standard, Stream Error, Stream Debug)
{
    /// <summary>Nowhere.</summary>
    public static GuestOutput None { get; } = new(Stream.Null, Stream.Null, Stream.Null);
}

/// <summary>A serial line that ends in a stream.</summary>
/// <param name="stream">The stream.</param>
internal sealed class StreamSink(Stream stream) : ISerialSink
{
    /// <inheritdoc/>
    public void Write(byte value) => stream.WriteByte(value);
}
