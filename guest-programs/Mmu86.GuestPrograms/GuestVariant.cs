namespace Mmu86.GuestPrograms;

/// <summary>The world an image is built for.</summary>
public enum GuestVariant
{
    /// <summary>A static Linux executable that runs in ring 3 and talks by SYSCALL. EI_OSABI is 0.</summary>
    RingThree,

    /// <summary>A standalone ring-0 image with output at port 0x3F8 and its end at port 0xF4. EI_OSABI is 255.</summary>
    Bare,

    /// <summary>A multiboot 1 kernel in an ELF32 file, with the devices of a PC. Its arguments are its command line.</summary>
    Multiboot,
}
