using System.Buffers.Binary;
using Mmu86.Paging;

namespace Mmu86.Lab.Sweeps.Traces;

/// <summary>Reads ChampSim's traces: records of <c>input_instr</c>, 64 bytes little-endian, one an instruction.</summary>
/// <remarks>
/// <code>
/// offset  0   8          9             10               12               16                     32
///         ip  is_branch  branch_taken  dest. registers  source registers destination_memory[2]  source_memory[4]
/// </code>
/// An address of 0 is none. Records have no sizes, so every access is taken to have one byte and crosses no page. Addresses that an
/// instruction both loads and stores are one access with write intent, as for the CPU.
/// </remarks>
internal sealed class ChampSimTraceReader(Stream content) : TraceReader
{
    /// <summary>The bytes of a record.</summary>
    public const int RecordBytes = 64;

    private const int DestinationOffset = 16;
    private const int Destinations = 2;
    private const int SourceOffset = 32;
    private const int Sources = 4;

    private readonly byte[] _buffer = new byte[RecordBytes * 4096];
    private readonly TraceAccess[] _accesses = new TraceAccess[1 + Destinations + Sources];
    private int _start;
    private int _end;
    private int _next;
    private int _count;
    private long _offset = -RecordBytes;

    /// <inheritdoc/>
    public override string Position => $"byte {_offset}";

    /// <inheritdoc/>
    public override bool TryRead(out TraceAccess access)
    {
        if (_next == _count && !TryReadRecord())
        {
            access = default;
            return false;
        }

        access = _accesses[_next++];
        return true;
    }

    /// <inheritdoc/>
    public override void Dispose() => content.Dispose();

    private bool TryReadRecord()
    {
        if (_start == _end)
        {
            _start = 0;
            _end = content.ReadAtLeast(_buffer, _buffer.Length, throwOnEndOfStream: false);
            if (_end == 0)
                return false;
        }

        _offset += RecordBytes;
        if (_end - _start < RecordBytes)
            throw new TraceException($"{Position}: the last record has {_end - _start} of {RecordBytes} bytes; the trace was cut off");
        ReadOnlySpan<byte> record = _buffer.AsSpan(_start, RecordBytes);
        _start += RecordBytes;
        _next = 0;
        _accesses[0] = new TraceAccess(AccessKind.Fetch, Address(record, 0), 1);
        _count = 1;
        for (int source = 0; source < Sources; source++)
        {
            ulong address = Address(record, SourceOffset + (source * sizeof(ulong)));
            if (address != 0)
                _accesses[_count++] = new TraceAccess(IsDestination(record, address) ? AccessKind.Write : AccessKind.Read, address, 1);
        }

        int loads = _count;
        for (int destination = 0; destination < Destinations; destination++)
        {
            ulong address = Address(record, DestinationOffset + (destination * sizeof(ulong)));
            if (address != 0 && !Has(_accesses.AsSpan(1, loads - 1), address))
                _accesses[_count++] = new TraceAccess(AccessKind.Write, address, 1);
        }

        return true;
    }

    private static ulong Address(ReadOnlySpan<byte> record, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(record[offset..]);

    private static bool IsDestination(ReadOnlySpan<byte> record, ulong address) =>
        Address(record, DestinationOffset) == address || Address(record, DestinationOffset + sizeof(ulong)) == address;

    private static bool Has(ReadOnlySpan<TraceAccess> loads, ulong address)
    {
        foreach (TraceAccess load in loads)
        {
            if (load.Address == address)
                return true;
        }

        return false;
    }
}
