namespace Mmu86.Cpu;

/// <summary>What is asked of every explicit access besides its translation. While anything is, the filter answers nothing.</summary>
[Flags]
internal enum AccessChecks
{
    None = 0,

    /// <summary>CPL 3, CR0.AM=1 and RFLAGS.AC=1: a misaligned access is #AC(0).</summary>
    Alignment = 1,

    /// <summary>A data breakpoint is enabled.</summary>
    Breakpoints = 2,
}
