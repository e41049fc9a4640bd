using System.Runtime.CompilerServices;
using Mmu86.Memory;

namespace Mmu86.Paging;

/// <summary>The unmanaged memory of one MMU's structures: zeroed, 64-byte aligned, freed together.</summary>
internal sealed unsafe class Arena : IDisposable
{
    private const ulong ChunkBytes = 1 << 20;
    private readonly List<Reservation> _chunks = [];
    private readonly List<ulong> _sizes = [];
    private ulong _used = ChunkBytes;

    /// <summary>Zeroed room for <paramref name="count"/> values, valid until the arena is disposed.</summary>
    public T* Allocate<T>(long count)
        where T : unmanaged
    {
        ulong bytes = ((ulong)count * (ulong)sizeof(T) + 63) & ~63UL;
        if (bytes > ChunkBytes / 4)
        {
            // A big table has a reservation of its own, inserted below the chunk in use, so that it can be given back when it grows.
            Reservation own = new(bytes);
            _chunks.Insert(0, own);
            _sizes.Insert(0, bytes);
            return (T*)own.Pointer;
        }

        if (_used + bytes > ChunkBytes)
        {
            _chunks.Add(new Reservation(ChunkBytes));
            _sizes.Add(ChunkBytes);
            _used = 0;
        }

        byte* place = _chunks[^1].Pointer + _used;
        _used += bytes;
        return (T*)place;
    }

    /// <summary>Moves a table to room for more values; the added ones are zero. The old room is no longer valid.</summary>
    public T* Grow<T>(T* old, long oldCount, long newCount)
        where T : unmanaged
    {
        T* place = Allocate<T>(newCount);
        // SAFETY: both rooms hold at least oldCount values, and they are different rooms.
        Unsafe.CopyBlock(place, old, checked((uint)(oldCount * sizeof(T))));
        int own = _chunks.FindIndex(chunk => chunk.Pointer == (byte*)old && ((ulong)oldCount * (ulong)sizeof(T)) > ChunkBytes / 4);
        if (own >= 0)
        {
            _chunks[own].Dispose();
            _chunks.RemoveAt(own);
            _sizes.RemoveAt(own);
        }

        return place;
    }

    /// <summary>Copies all that is in the arena.</summary>
    /// <param name="image">Where to; made anew where it is too short.</param>
    public void Save(ref byte[] image)
    {
        ulong bytes = 0;
        for (int i = 0; i < _chunks.Count; i++)
            bytes += SizeOf(i);
        if ((ulong)image.Length < bytes)
            image = new byte[bytes];
        Span<byte> left = image;
        for (int i = 0; i < _chunks.Count; i++)
        {
            Span<byte> chunk = Chunk(i);
            chunk.CopyTo(left);
            left = left[chunk.Length..];
        }
    }

    /// <summary>Puts back what <see cref="Save"/> copied. Nothing was allocated since.</summary>
    public void Restore(ReadOnlySpan<byte> image)
    {
        for (int i = 0; i < _chunks.Count; i++)
        {
            Span<byte> chunk = Chunk(i);
            image[..chunk.Length].CopyTo(chunk);
            image = image[chunk.Length..];
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Reservation chunk in _chunks)
            chunk.Dispose();
        _chunks.Clear();
        _sizes.Clear();
        _used = ChunkBytes;
    }

    // The last chunk is partly used.
    private ulong SizeOf(int chunk) => chunk == _chunks.Count - 1 && _sizes[chunk] == ChunkBytes ? _used : _sizes[chunk];

    // SAFETY: a chunk has at least as many bytes as it is said to.
    private Span<byte> Chunk(int chunk) => new(_chunks[chunk].Pointer, checked((int)SizeOf(chunk)));
}
