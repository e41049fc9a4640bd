namespace Mmu86.Loaders.Elf;

/// <summary>The values of e_type that can be loaded.</summary>
public enum ElfType : ushort
{
    /// <summary>ET_EXEC: linked for the addresses in its program headers.</summary>
    Executable = 2,

    /// <summary>ET_DYN: position-independent; whoever loads it chooses a base. A static one relocates itself.</summary>
    PositionIndependent = 3,
}
