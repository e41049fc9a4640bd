namespace Mmu86.Loaders.Elf;

/// <summary>An address as a person reads it: a symbol and the distance from it.</summary>
/// <param name="Name">The symbol.</param>
/// <param name="Offset">Bytes from the symbol's address.</param>
public readonly record struct SymbolLocation(string Name, ulong Offset)
{
    /// <inheritdoc/>
    public override string ToString() => Offset == 0 ? Name : $"{Name}+0x{Offset:x}";
}
