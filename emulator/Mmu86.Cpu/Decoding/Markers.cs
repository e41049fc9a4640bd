namespace Mmu86.Cpu;

/// <summary>Displacements of the hint <c>nop dword [rax+disp32]</c> that mark the measured part of a program.</summary>
public static class Markers
{
    /// <summary>The measured part begins behind this instruction.</summary>
    public const uint Begin = 0x4D4D_5501;

    /// <summary>The measured part ended with this instruction.</summary>
    public const uint End = 0x4D4D_5502;
}
