namespace Mmu86.Lab.Sweeps;

/// <summary>How far a sweep is.</summary>
/// <param name="Pass">The execution of the guest under way, from 1.</param>
/// <param name="Passes">How many there will be.</param>
/// <param name="Instructions">Instructions retired in it.</param>
/// <param name="TotalInstructions">How many it will have; null where nobody knows yet.</param>
public readonly record struct SweepProgress(int Pass, int Passes, ulong Instructions, ulong? TotalInstructions);
