namespace Mmu86.GuestPrograms;

/// <summary>A part of memory that a loader fills: some bytes of the file, then zeros.</summary>
/// <param name="SectionName">The name of the one section that covers it.</param>
/// <param name="Access">Its rights.</param>
/// <param name="Address">Where it is linked.</param>
/// <param name="Content">What the file holds of it.</param>
/// <param name="SizeInBytes">Its size in memory, at least the length of the content.</param>
/// <param name="Alignment">A power of two, at least 4096, that divides the address.</param>
internal sealed record ElfSegment(string SectionName, ElfSegmentAccess Access, ulong Address, byte[] Content, ulong SizeInBytes, ulong Alignment);
