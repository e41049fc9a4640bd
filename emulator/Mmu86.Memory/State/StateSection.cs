namespace Mmu86.Memory;

/// <summary>A named part of a saved state.</summary>
/// <param name="Name">Its name: lower-case letters, digits and hyphens.</param>
/// <param name="Bytes">What it holds, little-endian, without names or types: who reads it knows.</param>
public readonly record struct StateSection(string Name, ReadOnlyMemory<byte> Bytes);
