namespace Mmu86.Lab.Snapshots;

/// <summary>A snapshot that is to be taken in the middle of a run.</summary>
/// <param name="AtInstruction">When so many instructions have retired, exactly.</param>
/// <param name="Path">The file.</param>
public sealed record SnapshotRequest(ulong AtInstruction, string Path);
