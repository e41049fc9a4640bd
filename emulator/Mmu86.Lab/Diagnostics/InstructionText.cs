namespace Mmu86.Lab.Diagnostics;

/// <summary>An instruction about to run, for people.</summary>
/// <param name="Number">Instructions that had retired before it.</param>
/// <param name="Rip">Its linear address.</param>
/// <param name="Bytes">Its bytes. Null where they cannot be fetched.</param>
/// <param name="Text">Its text. Null where its bytes cannot be fetched.</param>
public sealed record InstructionText(long Number, ulong Rip, byte[]? Bytes, string? Text);
