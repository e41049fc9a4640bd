namespace Mmu86.Tests.Cpu.Protection;

/// <summary>Where the parts of a probe image lie, and its selectors. All addresses are linear; the image is loaded at <see cref="Image"/>.</summary>
internal static class ProbeLayout
{
    public const uint Image = 0x1_0000;
    public const int ImageBytes = 0x1_0000;

    /// <summary>Where a probe jumps in 32-bit level 0 with flat segments to say that it came through.</summary>
    public const uint Done = Image + 0x200;

    /// <summary>Sixteen bytes for each vector.</summary>
    public const uint Stubs = Image + 0x400;
    public const int Vectors = 64;

    /// <summary>Tables as each probe finds them, copied to <see cref="Tables"/> before it.</summary>
    public const uint Pristine = Image + 0x1000;
    public const int TableBytes = 0x1000;

    /// <summary>16-bit code of level 0, from here.</summary>
    public const uint RealCode = Image + 0x2000;
    public const uint Probes = Image + 0x3000;
    public const uint ProbeBytes = 0x100;

    public const uint Tables = 0x2_0000;
    public const uint Gdt = Tables;
    public const uint Idt = Tables + 0x200;
    public const uint Ldt = Tables + 0x400;
    public const uint MainTss = Tables + 0x500;
    public const uint OtherTss = Tables + 0x600;
    public const uint NarrowTss = Tables + 0x700;
    public const uint DoubleFaultTss = Tables + 0x800;
    public const uint TaskTss = Tables + 0x900;
    public const uint Scratch = 0x2_2000;
    public const uint Saved = 0x2_2100;

    public const uint Stack = 0x3_0000;
    public const uint InnerStack = 0x2_F000;
    public const uint Inner1Stack = 0x2_E000;
    public const uint OtherStack = 0x2_D000;
    public const uint DoubleFaultStack = 0x2_C000;
    public const uint UserStack = 0x3_4000;

    public const ushort Code = 0x08;
    public const ushort Data = 0x10;
    public const ushort UserCode = 0x1B;
    public const ushort UserData = 0x23;
    public const ushort Main = 0x28;
    public const ushort Other = 0x30;
    public const ushort Narrow = 0x38;
    public const ushort DoubleFault = 0x40;
    public const ushort Local = 0x48;

    /// <summary>16-bit code based at the image.</summary>
    public const ushort Code16 = 0x50;

    /// <summary>16-bit data based at 0x20000, expand-up, 64 KiB.</summary>
    public const ushort Data16 = 0x58;

    /// <summary>32-bit code based at the image with a limit of 64 KiB.</summary>
    public const ushort CodeBased = 0x60;
    public const ushort Code1 = 0x69;
    public const ushort Data1 = 0x71;
    public const ushort Conforming = 0x78;

    /// <summary>A TSS for vector 32, which has a task gate.</summary>
    public const ushort Task = 0x80;

    /// <summary>From here on a probe may put descriptors of its own.</summary>
    public const ushort Free = 0x90;
    public const ushort GdtLimit = 0xFF;
}
