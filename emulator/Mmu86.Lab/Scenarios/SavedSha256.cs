using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;
using Mmu86.Memory;

namespace Mmu86.Lab.Scenarios;

/// <summary>SHA-256 that can be put down halfway and taken up by another process, which .NET's cannot.</summary>
/// <remarks>FIPS 180-4, "SHA-224 and SHA-256". For outputs of guests: a few kilobytes as a rule.</remarks>
internal sealed class SavedSha256
{
    private const int BlockBytes = 64;

    // Of the fractional parts of the square roots of the first primes (the hash) and of their cube roots (the rounds).
    private static ReadOnlySpan<uint> Initial =>
    [
        0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
    ];

    private static ReadOnlySpan<uint> Rounds =>
    [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
        0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
        0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
        0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    ];

    private readonly uint[] _hash = Initial.ToArray();
    private readonly byte[] _block = new byte[BlockBytes];
    private ulong _length;

    /// <summary>Adds bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int at = (int)(_length % BlockBytes);
            int taken = Math.Min(bytes.Length, BlockBytes - at);
            bytes[..taken].CopyTo(_block.AsSpan(at));
            bytes = bytes[taken..];
            _length += (ulong)taken;
            if (at + taken == BlockBytes)
                Compress(_hash, _block);
        }
    }

    /// <summary>The hash of everything so far.</summary>
    public byte[] Current()
    {
        uint[] hash = [.. _hash];
        int at = (int)(_length % BlockBytes);
        Span<byte> tail = stackalloc byte[2 * BlockBytes];
        tail.Clear();
        _block.AsSpan(0, at).CopyTo(tail);
        tail[at] = 0x80;
        int end = at < BlockBytes - sizeof(ulong) ? BlockBytes : 2 * BlockBytes;
        BinaryPrimitives.WriteUInt64BigEndian(tail[(end - sizeof(ulong))..], _length * 8);
        for (int block = 0; block < end; block += BlockBytes)
            Compress(hash, tail.Slice(block, BlockBytes));
        byte[] bytes = new byte[SHA256.HashSizeInBytes];
        for (int i = 0; i < hash.Length; i++)
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(i * sizeof(uint)), hash[i]);
        return bytes;
    }

    /// <summary>Writes where it stands.</summary>
    public void Save(StateWriter writer)
    {
        writer.WriteArray<uint>(_hash);
        writer.WriteArray<byte>(_block);
        writer.Write(_length);
    }

    /// <summary>Goes on from there.</summary>
    public void Load(StateReader reader)
    {
        reader.ReadArray<uint>("hash", _hash);
        reader.ReadArray<byte>("hashBlock", _block);
        _length = reader.ReadUInt64("hashLength");
    }

    private static void Compress(uint[] hash, ReadOnlySpan<byte> block)
    {
        Span<uint> words = stackalloc uint[64];
        for (int i = 0; i < 16; i++)
            words[i] = BinaryPrimitives.ReadUInt32BigEndian(block[(i * sizeof(uint))..]);
        for (int i = 16; i < 64; i++)
        {
            uint near = words[i - 15], far = words[i - 2];
            words[i] = words[i - 16] + words[i - 7]
                + (BitOperations.RotateRight(near, 7) ^ BitOperations.RotateRight(near, 18) ^ (near >> 3))
                + (BitOperations.RotateRight(far, 17) ^ BitOperations.RotateRight(far, 19) ^ (far >> 10));
        }

        (uint a, uint b, uint c, uint d, uint e, uint f, uint g, uint h) = (hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]);
        for (int i = 0; i < 64; i++)
        {
            uint first = h + (BitOperations.RotateRight(e, 6) ^ BitOperations.RotateRight(e, 11) ^ BitOperations.RotateRight(e, 25)) + ((e & f) ^ (~e & g)) + Rounds[i] + words[i];
            uint second = (BitOperations.RotateRight(a, 2) ^ BitOperations.RotateRight(a, 13) ^ BitOperations.RotateRight(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
            (h, g, f, e, d, c, b, a) = (g, f, e, d + first, c, b, a, first + second);
        }

        ReadOnlySpan<uint> sums = [a, b, c, d, e, f, g, h];
        for (int i = 0; i < hash.Length; i++)
            hash[i] += sums[i];
    }
}
