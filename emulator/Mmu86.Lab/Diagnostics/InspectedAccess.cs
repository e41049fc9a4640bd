using Mmu86.Paging;

namespace Mmu86.Lab.Diagnostics;

/// <summary>One translation of an instruction.</summary>
/// <param name="Index">Its place among the instruction's translations, from 0.</param>
/// <param name="SizeInBytes">Bytes accessed. Null where the instruction does not say.</param>
/// <param name="Trace">What happened.</param>
public sealed record InspectedAccess(int Index, int? SizeInBytes, WalkTrace Trace);
