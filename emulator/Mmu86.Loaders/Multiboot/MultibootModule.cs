namespace Mmu86.Loaders.Multiboot;

/// <summary>A file that is loaded beside the kernel.</summary>
/// <param name="Bytes">The file.</param>
/// <param name="CommandLine">The words that go with it: its name and what follows.</param>
public sealed record MultibootModule(ReadOnlyMemory<byte> Bytes, string CommandLine);
