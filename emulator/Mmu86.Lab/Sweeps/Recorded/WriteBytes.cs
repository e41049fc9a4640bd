namespace Mmu86.Lab.Sweeps.Recorded;

/// <summary>Takes the bytes of a file that is written.</summary>
public delegate void WriteBytes(ReadOnlySpan<byte> bytes);
