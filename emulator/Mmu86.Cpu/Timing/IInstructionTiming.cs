namespace Mmu86.Cpu;

/// <summary>One who keeps time by what instructions need and make. The MMU tells it of their accesses.</summary>
public interface IInstructionTiming
{
    /// <summary>An instruction was fetched and begins: everything before it has begun. Also of one that will fault.</summary>
    /// <param name="facts">What decides how long it waits.</param>
    void Begin(in InstructionFacts facts);
}
