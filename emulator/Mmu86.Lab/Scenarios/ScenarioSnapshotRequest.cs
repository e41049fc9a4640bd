namespace Mmu86.Lab.Scenarios;

/// <summary>A snapshot of the whole host that is to be taken in the middle of a scenario.</summary>
/// <param name="AtNanoseconds">At the first barrier at this virtual time or behind it.</param>
/// <param name="Path">The file.</param>
public sealed record ScenarioSnapshotRequest(ulong AtNanoseconds, string Path);
