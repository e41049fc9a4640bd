namespace Mmu86.Lab.Sweeps;

/// <summary>How many pages were touched in one interval of the run.</summary>
/// <param name="Instructions">Instructions retired at the end of the interval.</param>
/// <param name="DataPages4K">Distinct 4 KiB pages of data touched in it.</param>
/// <param name="CodePages4K">Distinct 4 KiB pages fetched from in it.</param>
/// <param name="DataPages2M">Distinct 2 MiB regions of data touched in it: the working set were all pages of 2 MiB.</param>
public sealed record WorkingSetSample(long Instructions, long DataPages4K, long CodePages4K, long DataPages2M);
