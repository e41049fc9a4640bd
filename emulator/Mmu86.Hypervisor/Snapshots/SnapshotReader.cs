using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using System.Text;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Snapshots;

/// <summary>Reads a snapshot from a stream, section by section, and gives out none whose checksum is wrong.</summary>
public sealed class SnapshotReader
{
    private const int MostReadAtOnce = 1 << 20;

    private readonly Stream _stream;
    private ulong _sections;
    private string? _name;

    /// <summary>Reads the header.</summary>
    /// <exception cref="StateFormatException">It is no snapshot, or one of another version.</exception>
    public SnapshotReader(Stream stream)
    {
        _stream = stream;
        Span<byte> header = stackalloc byte[SnapshotFormat.Magic.Length + sizeof(uint) + sizeof(ulong)];
        if (stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length || !header.StartsWith(SnapshotFormat.Magic))
            throw new StateFormatException("header, field 'magic': is no snapshot of Mmu86");
        int body = SnapshotFormat.Magic.Length + sizeof(uint);
        if (BinaryPrimitives.ReadUInt64LittleEndian(header[body..]) != XxHash3.HashToUInt64(header[..body]))
            throw new StateFormatException("header, field 'checksum': is wrong, so the file was damaged");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(header[SnapshotFormat.Magic.Length..]);
        if (version != SnapshotFormat.Version)
            throw new StateFormatException($"header, field 'version': is {version}, and this Mmu86 reads {SnapshotFormat.Version}");
    }

    /// <summary>Reads the next section.</summary>
    /// <returns>False behind the last one.</returns>
    /// <exception cref="StateFormatException">The file is damaged or cut short here.</exception>
    public bool TryRead(out StateSection section)
    {
        section = Read();
        if (section.Name != SnapshotFormat.End)
        {
            _sections++;
            return true;
        }

        if (section.Bytes.Length != sizeof(ulong) || BinaryPrimitives.ReadUInt64LittleEndian(section.Bytes.Span) != _sections)
            throw new StateFormatException($"section '{SnapshotFormat.End}', field 'sections': is not {_sections}, as many as there are");
        if (_stream.ReadByte() >= 0)
            throw new StateFormatException($"section '{SnapshotFormat.End}': bytes follow the end");
        return false;
    }

    private StateSection Read()
    {
        _name = null;
        var hash = new XxHash3();
        int length = Take(1, hash, "name")[0];
        if (length is 0 or > SnapshotFormat.MostNameBytes)
            throw Damaged("name", $"has {length} bytes");
        string name = Encoding.ASCII.GetString(Take(length, hash, "name"));
        if (name.All(static c => c is '-' or (>= 'a' and <= 'z') or (>= '0' and <= '9')))
            _name = name;
        byte[] head = Take(1 + (2 * sizeof(uint)), hash, "length");
        var encoding = (SnapshotFormat.Encoding)head[0];
        uint bytes = BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(1));
        uint stored = BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(1 + sizeof(uint)));
        if (encoding > SnapshotFormat.Encoding.Brotli || bytes > SnapshotFormat.MostSectionBytes || stored > bytes
            || (encoding == SnapshotFormat.Encoding.Raw && stored != bytes))
            throw Damaged("length", "is none that a section has");
        byte[] content = Take((int)stored, hash, "content");
        ulong checksum = hash.GetCurrentHashAsUInt64();
        if (BinaryPrimitives.ReadUInt64LittleEndian(Take(sizeof(ulong), hash, "checksum")) != checksum)
            throw Damaged("checksum", "is wrong, so the file was damaged");
        if (encoding == SnapshotFormat.Encoding.Raw)
            return new StateSection(name, content);
        byte[] decoded = new byte[bytes];
        if (!BrotliDecoder.TryDecompress(content, decoded, out int written) || written != decoded.Length)
            throw Damaged("content", "cannot be decompressed");
        return new StateSection(name, decoded);

        StateFormatException Damaged(string field, string what) => new($"{Place()}, field '{field}': {what}");
    }

    // Piece by piece: a length that is wrong must not make room for what is not there.
    private byte[] Take(int length, XxHash3 hash, string field)
    {
        byte[] bytes = new byte[Math.Min(length, MostReadAtOnce)];
        for (int done = 0; done < length;)
        {
            if (done == bytes.Length)
                Array.Resize(ref bytes, (int)Math.Min((long)length, 2L * bytes.Length));
            int read = _stream.Read(bytes, done, bytes.Length - done);
            if (read == 0)
                throw new StateFormatException($"{Place()}, field '{field}': the file ends there");
            done += read;
        }

        hash.Append(bytes);
        return bytes;
    }

    private string Place() => _name is null ? $"section number {_sections + 1}" : $"section '{_name}'";
}
