namespace Mmu86.Lab.Sweeps;

/// <summary>Misses of one symbol or page.</summary>
/// <param name="Name">The symbol, or the page's address in hex.</param>
/// <param name="Misses">Its misses by class.</param>
public sealed record MissGroup(string Name, MissClassCounts Misses);
