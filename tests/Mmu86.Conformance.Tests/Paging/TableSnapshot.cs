using System.Runtime.InteropServices;
using Mmu86.Memory;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>A copy of every frame that an access may write, to be compared after it.</summary>
internal sealed class TableSnapshot
{
    private readonly HostMemory _memory;
    private readonly HostFrameNumber[] _frames;
    private readonly byte[] _copy;

    /// <summary>Prepares for a fixed list of frames of RAM.</summary>
    public TableSnapshot(HostMemory memory, IEnumerable<HostFrameNumber> frames)
    {
        _memory = memory;
        _frames = [.. frames];
        _copy = new byte[_frames.Length * 4096];
    }

    /// <summary>Copies the frames as they are.</summary>
    public void Take()
    {
        for (int i = 0; i < _frames.Length; i++)
            _memory.Frame(_frames[i]).CopyTo(_copy.AsSpan(i * 4096, 4096));
    }

    /// <summary>Compares the frames with the copy.</summary>
    /// <param name="flags">What may and must have changed, by the host-physical address of the entry. All flags are in an entry's lower four bytes.</param>
    /// <returns>Null where all is as it must be, else the first difference in words.</returns>
    public string? Compare(IReadOnlyDictionary<ulong, EntryFlags> flags)
    {
        for (int i = 0; i < _frames.Length; i++)
        {
            ReadOnlySpan<byte> after = _memory.Frame(_frames[i]);
            ReadOnlySpan<byte> before = _copy.AsSpan(i * 4096, 4096);
            if (before.SequenceEqual(after))
                continue;
            if (CompareFrame(_frames[i], MemoryMarshal.Cast<byte, uint>(before), MemoryMarshal.Cast<byte, uint>(after), flags) is { } difference)
                return difference;
        }

        // An entry that had to change and did not is equal to its copy.
        foreach ((ulong address, EntryFlags allowed) in flags)
        {
            ulong value = _memory.Read<uint>(new HostPhysicalAddress(address));
            if ((value & allowed.Must) != allowed.Must)
                return $"entry {new HostPhysicalAddress(address)} is 0x{value:x8}, must have 0x{allowed.Must:x}";
        }

        return null;
    }

    private static string? CompareFrame(
        HostFrameNumber frame, ReadOnlySpan<uint> before, ReadOnlySpan<uint> after, IReadOnlyDictionary<ulong, EntryFlags> flags)
    {
        for (int i = 0; i < before.Length; i++)
        {
            if (before[i] == after[i])
                continue;
            var entry = new HostPhysicalAddress(frame.Address.Value + ((ulong)i * 4));
            EntryFlags allowed = flags.GetValueOrDefault(entry.Value);
            if (!allowed.Allow(before[i], after[i]))
                return $"entry {entry} was 0x{before[i]:x8}, is 0x{after[i]:x8}, must have 0x{allowed.Must:x}, may gain 0x{allowed.May:x}";
        }

        return null;
    }
}
