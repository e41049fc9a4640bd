using System.Buffers.Binary;
using System.IO.Hashing;

namespace Mmu86.Hypervisor.Migration;

/// <summary>Reads records from a stream and refuses what cannot be one.</summary>
internal sealed class MigrationReader(Stream stream)
{
    private byte[] _bytes = new byte[sizeof(ulong) + 4096];
    private int _length;

    /// <summary>What the last record holds.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

    /// <summary>Reads a record.</summary>
    /// <exception cref="MigrationException">The stream ends, or it is none.</exception>
    public MigrationRecord Next()
    {
        Span<byte> head = stackalloc byte[1 + sizeof(uint)];
        Span<byte> tail = stackalloc byte[sizeof(ulong)];
        Fill(head, "kind of a record");
        var kind = (MigrationRecord)head[0];
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(head[1..]);
        (int least, int most, int unit) = kind switch
        {
            MigrationRecord.Hello => (20, 20, 1),
            MigrationRecord.Page => (sizeof(ulong) + 4096, sizeof(ulong) + 4096, 1),
            MigrationRecord.Zeros or MigrationRecord.Balloon => (sizeof(ulong), MigrationFormat.MostNumbers * sizeof(ulong), sizeof(ulong)),
            MigrationRecord.RoundEnd => (sizeof(uint), sizeof(uint), 1),
            MigrationRecord.State => (2, MigrationFormat.MostBytes, 1),
            MigrationRecord.End => (24, 24, 1),
            _ => throw new MigrationException($"the kind of a record is {head[0]}, which there is not"),
        };
        if (length < least || length > most || length % unit != 0)
            throw new MigrationException($"the length of a record {kind} is {length}");
        _length = (int)length;
        if (_bytes.Length < _length)
            _bytes = new byte[_length];
        Fill(_bytes.AsSpan(0, _length), $"record {kind}");
        Fill(tail, $"checksum of a record {kind}");
        if (BinaryPrimitives.ReadUInt64LittleEndian(tail) != XxHash3.HashToUInt64(Bytes, (byte)kind))
            throw new MigrationException($"the checksum of a record {kind} is wrong");
        return kind;
    }

    private void Fill(Span<byte> bytes, string what)
    {
        try
        {
            stream.ReadExactly(bytes);
        }
        catch (EndOfStreamException exception)
        {
            throw new MigrationException($"the stream ends in the {what}", exception);
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            throw new MigrationException($"the stream cannot be read: {exception.Message}", exception);
        }
    }
}
