namespace Mmu86.Loaders.Processes;

/// <summary>A range of linear space that a process asked for.</summary>
/// <param name="Start">The first byte; a multiple of 4096.</param>
/// <param name="End">One past the last byte; a multiple of 4096.</param>
/// <param name="Rights">What was asked for.</param>
internal readonly record struct Region(ulong Start, ulong End, PageRights Rights)
{
    public ulong Length => End - Start;
}
