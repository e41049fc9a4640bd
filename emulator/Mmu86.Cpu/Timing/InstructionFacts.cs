using System.Runtime.InteropServices;

namespace Mmu86.Cpu;

/// <summary>What timing must know of an instruction. Registers are bits: 0 to 15 the general-purpose ones by number, 16 the flags.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct InstructionFacts
{
    /// <summary>The bit of the flags.</summary>
    public const int Flags = 16;

    /// <summary>Registers whose values it needs.</summary>
    public uint Reads { get; init; }

    /// <summary>Registers that the addresses of its memory operands need.</summary>
    public uint Addresses { get; init; }

    /// <summary>
    /// Registers that get a value made of what it reads and loads. Not RSP of stack instructions nor the pointers and the count of string
    /// instructions: those follow from themselves, whatever is loaded.
    /// </summary>
    public uint Writes { get; init; }

    /// <summary>Bytes of the instruction.</summary>
    public byte Length { get; init; }

    /// <summary>Bytes of its memory operand; 8 where it does not say.</summary>
    public byte AccessBytes { get; init; }

    /// <summary>What sort of instruction it is.</summary>
    public InstructionTraits Traits { get; init; }
}
