namespace Mmu86.GuestPrograms;

/// <summary>A name for an address of the image.</summary>
/// <param name="Name">The name.</param>
/// <param name="Kind">Code, data or neither.</param>
/// <param name="Address">Where it is.</param>
/// <param name="SizeInBytes">How much it covers; 0 where that means nothing.</param>
internal sealed record ElfSymbol(string Name, ElfSymbolKind Kind, ulong Address, ulong SizeInBytes);
