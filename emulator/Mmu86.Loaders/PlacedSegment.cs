using Mmu86.X86;

namespace Mmu86.Loaders;

/// <summary>A segment of a file after it was placed.</summary>
/// <param name="Start">Its first linear address.</param>
/// <param name="SizeInBytes">Its size in memory.</param>
/// <param name="Rights">What the file asks for it. Large pages may grant more: what all segments in them need.</param>
public readonly record struct PlacedSegment(LinearAddress Start, ulong SizeInBytes, PageRights Rights);
