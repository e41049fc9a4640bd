using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using System.Text;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Snapshots;

/// <summary>Writes a snapshot to a stream: a header, then sections, each with its name, its lengths and a checksum over all of it.</summary>
public sealed class SnapshotWriter
{
    // The fastest that compresses at all: a snapshot is made while a guest waits.
    private const int Quality = 1;
    private const int Window = 22;

    // What is shorter is not worth the decoder's tables.
    private const int LeastCompressed = 64;

    private readonly Stream _stream;
    private ulong _sections;

    /// <summary>Writes the header.</summary>
    public SnapshotWriter(Stream stream)
    {
        _stream = stream;
        Span<byte> header = stackalloc byte[SnapshotFormat.Magic.Length + sizeof(uint) + sizeof(ulong)];
        SnapshotFormat.Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[SnapshotFormat.Magic.Length..], SnapshotFormat.Version);
        int body = SnapshotFormat.Magic.Length + sizeof(uint);
        BinaryPrimitives.WriteUInt64LittleEndian(header[body..], XxHash3.HashToUInt64(header[..body]));
        stream.Write(header);
    }

    /// <summary>Writes sections.</summary>
    public void Write(IEnumerable<StateSection> sections)
    {
        foreach (StateSection section in sections)
            Write(section.Name, section.Bytes.Span);
    }

    /// <summary>Writes the last section. Without it a reader refuses the rest.</summary>
    public void Complete()
    {
        Span<byte> count = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(count, _sections);
        Write(SnapshotFormat.End, count);
    }

    /// <summary>Writes a section.</summary>
    internal void Write(string name, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > SnapshotFormat.MostSectionBytes)
            throw new IOException($"section {name} has {bytes.Length} bytes, more than a snapshot holds");
        _sections++;
        byte[]? rented = null;
        try
        {
            ReadOnlySpan<byte> stored = bytes;
            var encoding = SnapshotFormat.Encoding.Raw;
            if (bytes.Length >= LeastCompressed)
            {
                // What does not become shorter is stored as it is, so there need not be room for more.
                rented = ArrayPool<byte>.Shared.Rent(bytes.Length);
                if (BrotliEncoder.TryCompress(bytes, rented.AsSpan(0, bytes.Length - 1), out int written, Quality, Window))
                {
                    stored = rented.AsSpan(0, written);
                    encoding = SnapshotFormat.Encoding.Brotli;
                }
            }

            Write(name, encoding, bytes.Length, stored);
        }
        finally
        {
            if (rented is not null)
                ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private void Write(string name, SnapshotFormat.Encoding encoding, int length, ReadOnlySpan<byte> stored)
    {
        Span<byte> head = stackalloc byte[1 + SnapshotFormat.MostNameBytes + 1 + sizeof(uint) + sizeof(uint)];
        int named = Encoding.ASCII.GetBytes(name, head[1..(1 + SnapshotFormat.MostNameBytes)]);
        head[0] = (byte)named;
        int at = 1 + named;
        head[at++] = (byte)encoding;
        BinaryPrimitives.WriteUInt32LittleEndian(head[at..], (uint)length);
        at += sizeof(uint);
        BinaryPrimitives.WriteUInt32LittleEndian(head[at..], (uint)stored.Length);
        at += sizeof(uint);
        var hash = new XxHash3();
        hash.Append(head[..at]);
        hash.Append(stored);
        _stream.Write(head[..at]);
        _stream.Write(stored);
        Span<byte> checksum = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(checksum, hash.GetCurrentHashAsUInt64());
        _stream.Write(checksum);
    }
}
