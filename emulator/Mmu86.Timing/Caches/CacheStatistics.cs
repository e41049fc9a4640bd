namespace Mmu86.Timing;

/// <summary>What one cache counted.</summary>
/// <param name="Name"><c>l1i</c>, <c>l1d</c>, <c>l2</c> or <c>l3</c>.</param>
/// <param name="References">References made of it: those that every cache above it missed.</param>
/// <param name="Hits">Those that it answered.</param>
/// <param name="WalkReferences">References of walks among them.</param>
/// <param name="WalkHits">References of walks that it answered.</param>
public readonly record struct CacheStatistics(string Name, ulong References, ulong Hits, ulong WalkReferences, ulong WalkHits);
