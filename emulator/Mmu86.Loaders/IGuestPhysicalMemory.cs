using Mmu86.X86;

namespace Mmu86.Loaders;

/// <summary>The guest-physical memory that loaders fill: RAM from 0, a hole from 3 to 4 GiB, the rest above.</summary>
/// <remarks>
/// Fresh memory reads as zeros, and loaders rely on it: what they do not write stays untouched, so that a machine with much memory
/// costs what it uses. Every range that a loader passes lies wholly in RAM as <see cref="GuestPhysicalLayout"/> defines it.
/// </remarks>
public interface IGuestPhysicalMemory
{
    /// <summary>RAM in bytes, the hole not counted: a multiple of 4096.</summary>
    ulong SizeInBytes { get; }

    /// <summary>Copies RAM out.</summary>
    void Read(GuestPhysicalAddress address, Span<byte> destination);

    /// <summary>Copies bytes into RAM.</summary>
    void Write(GuestPhysicalAddress address, ReadOnlySpan<byte> source);

    /// <summary>Fills RAM with zeros. <paramref name="length"/> is in bytes.</summary>
    void Clear(GuestPhysicalAddress address, ulong length);
}
