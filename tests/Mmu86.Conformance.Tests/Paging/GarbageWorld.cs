using System.Runtime.InteropServices;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Frames full of random entries that point to each other, to themselves, into the device hole and out of RAM.</summary>
internal sealed class GarbageWorld : IDisposable
{
    // Enough RAM that some of it lies above the hole; only what is touched costs anything.
    private const ulong RamInBytes = HostMemory.HoleStart + (64UL << 20);

    private static readonly ulong[] s_frames =
    [
        0x0, 0x1000, 0x2000, 0x3000, 0x5000, 0x20_0000, 0x20_1000, 0x4000_0000, 0x4000_1000, 0x4020_0000,
        HostMemory.HoleStart - 0x1000, HostMemory.HoleEnd, HostMemory.HoleEnd + 0x3000,
    ];

    private readonly Random _random;

    /// <summary>Fills the frames.</summary>
    /// <param name="random">Decides everything.</param>
    public GarbageWorld(Random random)
    {
        _random = random;
        foreach (HostFrameNumber frame in Frames)
            Fill(frame);
    }

    /// <summary>The memory.</summary>
    public HostMemory Memory { get; } = new(RamInBytes, BackingPages.Small);

    /// <summary>The frames with garbage.</summary>
    public IReadOnlyList<HostFrameNumber> Frames { get; } = [.. s_frames.Select(address => new HostPhysicalAddress(address).Frame)];

    /// <summary>The address of a frame to use as a root: a frame with garbage, seldom one that is no RAM.</summary>
    public ulong Root() => _random.Next(20) == 0 ? Elsewhere() : s_frames[_random.Next(s_frames.Length)];

    /// <summary>An address to access: canonical for the most part, often with an index of 0 or 511.</summary>
    public LinearAddress Linear()
    {
        ulong linear = 0;
        for (int level = 4; level >= 1; level--)
            linear = (linear << 9) | (_random.Next(4) switch { 0 => 0U, 1 => 511U, _ => (uint)_random.Next(512) });
        linear = (linear << 12) | (uint)_random.Next(4096);
        if (_random.Next(30) == 0)
            return new((ulong)_random.NextInt64());
        bool upperHalf = (linear & (1UL << 47)) != 0;
        return new(upperHalf ? linear | 0xFFFF_0000_0000_0000 : linear);
    }

    /// <inheritdoc/>
    public void Dispose() => Memory.Dispose();

    private void Fill(HostFrameNumber frame)
    {
        var entries = new ulong[512];
        // Some frames are noise, most are plausible enough for walks to get through.
        bool isNoise = _random.Next(30) == 0;
        for (int i = 0; i < entries.Length; i++)
            entries[i] = isNoise ? Noise() : Entry();
        Memory.Write(frame.Address, MemoryMarshal.AsBytes<ulong>(entries));
    }

    private ulong Entry()
    {
        if (_random.Next(60) == 0)
            return Noise();
        ulong target = _random.Next(30) == 0 ? Elsewhere() : s_frames[_random.Next(s_frames.Length)];
        // Bits 2:0 are present, writable, user in one format and the three rights in the other.
        ulong flags = _random.Next(10) == 0 ? (ulong)_random.Next(8) : 7;
        if (_random.Next(12) == 0)
            flags |= (ulong)_random.Next(0x1000) & 0xF60;
        if (_random.Next(20) == 0)
            flags |= PagingEntry.PageSizeBit;
        if (_random.Next(30) == 0)
            flags |= PagingEntry.ExecuteDisable;
        return target | flags;
    }

    // Into the hole, just above RAM, far above it.
    private ulong Elsewhere() => _random.Next(3) switch
    {
        0 => HostMemory.HoleStart + ((ulong)_random.Next(1 << 18) << 12),
        1 => Memory.HighTop.Value + ((ulong)_random.Next(16) << 12),
        _ => ((ulong)_random.NextInt64() & PagingEntry.AddressMask) >> 6 & ~0xFFFUL,
    };

    private ulong Noise() => ((ulong)_random.NextInt64() << 1) ^ (ulong)_random.NextInt64();
}
