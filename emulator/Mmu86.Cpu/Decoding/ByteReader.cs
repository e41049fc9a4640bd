using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>Feeds the decoder from memory, and no further than it may look.</summary>
internal sealed unsafe class ByteReader : CodeReader
{
    private byte* _next;
    private byte* _end;

    public void Set(byte* start, uint length)
    {
        _next = start;
        _end = start + length;
    }

    /// <inheritdoc/>
    public override int ReadByte() => _next < _end ? *_next++ : -1;
}
