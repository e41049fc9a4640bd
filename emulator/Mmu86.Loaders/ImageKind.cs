namespace Mmu86.Loaders;

/// <summary>The kinds of guest image.</summary>
public enum ImageKind
{
    /// <summary>An ELF file; 64-bit ones can be loaded.</summary>
    Elf,

    /// <summary>A file with a multiboot 1 header in its first 8 KiB.</summary>
    Multiboot,

    /// <summary>Raw bytes, for a load address that the user gives.</summary>
    Flat,

    /// <summary>Raw bytes for the reset vector; never recognised, only asked for.</summary>
    Rom,

    /// <summary>512 bytes that end in the signature of a boot sector.</summary>
    BootSector,
}
