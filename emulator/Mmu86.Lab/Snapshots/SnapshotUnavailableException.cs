namespace Mmu86.Lab.Snapshots;

/// <summary>Something is under way that no snapshot holds yet.</summary>
/// <param name="message">What, in a sentence without full stop.</param>
public sealed class SnapshotUnavailableException(string message) : Exception(message);
