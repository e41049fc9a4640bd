namespace Mmu86.Bench.Replacement;

/// <summary>What a policy costs, in CPU time.</summary>
internal readonly record struct FaultCost(double NanosecondsPerFault, double NanosecondsPerFrameScanned);
