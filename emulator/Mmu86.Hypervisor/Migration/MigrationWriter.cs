using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Migration;

/// <summary>Writes records to a stream.</summary>
internal sealed class MigrationWriter(Stream stream)
{
    private readonly byte[] _page = new byte[sizeof(ulong) + 4096];
    private readonly List<GuestFrameNumber> _zeros = [];

    /// <summary>Bytes written so far.</summary>
    public ulong Bytes { get; private set; }

    /// <summary>Pages sent with their bytes so far.</summary>
    public ulong Pages { get; private set; }

    /// <summary>Zero pages so far.</summary>
    public ulong Zeros { get; private set; }

    /// <summary>Sections of state so far.</summary>
    public ulong Sections { get; private set; }

    public void Hello(ulong memoryBytes)
    {
        Span<byte> bytes = stackalloc byte[20];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, MigrationFormat.Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], MigrationFormat.Version);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[12..], memoryBytes);
        Write(MigrationRecord.Hello, bytes);
    }

    /// <summary>Writes a page; where it is zero its number alone, in a record to come.</summary>
    public void Page(GuestFrameNumber frame, ReadOnlySpan<byte> bytes)
    {
        if (bytes.IndexOfAnyExcept((byte)0) < 0)
        {
            _zeros.Add(frame);
            if (_zeros.Count == MigrationFormat.MostNumbers)
                FlushZeros();
            return;
        }

        BinaryPrimitives.WriteUInt64LittleEndian(_page, frame.Value);
        bytes.CopyTo(_page.AsSpan(sizeof(ulong)));
        Write(MigrationRecord.Page, _page);
        Pages++;
    }

    public void RoundEnd(int round)
    {
        FlushZeros();
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)round);
        Write(MigrationRecord.RoundEnd, bytes);
        stream.Flush();
    }

    public void Balloon(IReadOnlyList<GuestFrameNumber> frames)
    {
        foreach (GuestFrameNumber[] part in frames.Chunk(MigrationFormat.MostNumbers))
            Numbers(MigrationRecord.Balloon, part);
    }

    public void State(StateSection section)
    {
        byte[] name = Encoding.ASCII.GetBytes(section.Name);
        byte[] bytes = [(byte)name.Length, .. name, .. section.Bytes.Span];
        Write(MigrationRecord.State, bytes);
        Sections++;
    }

    public void End()
    {
        Span<byte> bytes = stackalloc byte[24];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Pages);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], Zeros);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], Sections);
        Write(MigrationRecord.End, bytes);
        stream.Flush();
    }

    private void FlushZeros()
    {
        if (_zeros.Count == 0)
            return;
        Numbers(MigrationRecord.Zeros, _zeros);
        Zeros += (ulong)_zeros.Count;
        _zeros.Clear();
    }

    private void Numbers(MigrationRecord kind, IReadOnlyList<GuestFrameNumber> frames)
    {
        byte[] bytes = new byte[frames.Count * sizeof(ulong)];
        for (int i = 0; i < frames.Count; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * sizeof(ulong)), frames[i].Value);
        Write(kind, bytes);
    }

    private void Write(MigrationRecord kind, ReadOnlySpan<byte> bytes)
    {
        Span<byte> head = stackalloc byte[1 + sizeof(uint)];
        Span<byte> tail = stackalloc byte[sizeof(ulong)];
        head[0] = (byte)kind;
        BinaryPrimitives.WriteUInt32LittleEndian(head[1..], (uint)bytes.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(tail, XxHash3.HashToUInt64(bytes, (byte)kind));
        try
        {
            stream.Write(head);
            stream.Write(bytes);
            stream.Write(tail);
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            throw new MigrationException($"the stream cannot be written: {exception.Message}", exception);
        }

        Bytes += (ulong)(bytes.Length + MigrationFormat.Overhead);
    }
}
