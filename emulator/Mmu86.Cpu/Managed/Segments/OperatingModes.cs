namespace Mmu86.Cpu;

/// <summary>Groups of operating modes that share rules of segmentation. SDM 3, "Modes of Operation".</summary>
internal static class OperatingModes
{
    /// <summary>Selectors are paragraphs: real-address mode and virtual-8086 mode.</summary>
    public static bool HasParagraphs(this ProcessorMode mode) => mode is ProcessorMode.Real or ProcessorMode.Virtual8086;

    /// <summary>IA-32e mode: gates, TSS and LDT have their 64-bit forms, and there are no tasks to switch to.</summary>
    public static bool IsLong(this ProcessorMode mode) => mode is ProcessorMode.Long64 or ProcessorMode.Compatibility;
}
