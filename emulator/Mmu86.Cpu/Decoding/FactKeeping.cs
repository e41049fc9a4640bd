namespace Mmu86.Cpu;

/// <summary>Whether the code cache keeps the <see cref="InstructionFacts"/> of what it decodes.</summary>
internal enum FactKeeping
{
    NotKept,
    Kept,
}
