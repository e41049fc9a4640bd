using System.Buffers.Binary;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Snapshots;

/// <summary>Reads what <see cref="PageSectionWriter"/> wrote.</summary>
public static class PageSection
{
    /// <summary>Whether a section is one.</summary>
    public static bool Is(in StateSection section) => section.Name == SnapshotFormat.Pages;

    /// <summary>Whether a section has pages of a swap device.</summary>
    internal static bool IsOfSwap(in StateSection section) => section.Name == SnapshotFormat.SwapPages;

    /// <summary>Hands out the frames of a section.</summary>
    /// <param name="section">The section.</param>
    /// <param name="load">Takes a frame number and 4096 bytes; false where there is no such frame to be loaded.</param>
    /// <exception cref="StateFormatException">It is none, or has a frame that the machine has not.</exception>
    public static void Load(in StateSection section, PageLoader load)
    {
        ReadOnlySpan<byte> bytes = section.Bytes.Span;
        uint count = bytes.Length < sizeof(uint) ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        if (count is 0 or > PageSectionWriter.MostFrames || bytes.Length != sizeof(uint) + ((int)count * (sizeof(ulong) + 4096)))
            throw new StateFormatException($"section '{section.Name}', field 'count': is {count}, and the section has {bytes.Length} bytes");
        ReadOnlySpan<byte> pages = bytes[(sizeof(uint) + ((int)count * sizeof(ulong)))..];
        for (int i = 0; i < count; i++)
        {
            ulong frame = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(sizeof(uint) + (i * sizeof(ulong)))..]);
            if (!load(frame, pages.Slice(i * 4096, 4096)))
                throw new StateFormatException($"section '{section.Name}', field 'frame': 0x{frame:x} is none that is wanted");
        }
    }
}

/// <summary>Puts a frame of memory in its place.</summary>
/// <param name="frame">Its number: guest-physical for a machine, the host's for a host, a slot for swap.</param>
/// <param name="bytes">4096 bytes.</param>
/// <returns>False where there is no such frame.</returns>
public delegate bool PageLoader(ulong frame, ReadOnlySpan<byte> bytes);
