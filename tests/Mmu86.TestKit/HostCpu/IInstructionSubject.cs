namespace Mmu86.TestKit.HostCpu;

/// <summary>Something that executes x86-64 instructions in ring 3 over <see cref="ScratchMemory"/>, and can be compared with another.</summary>
public interface IInstructionSubject
{
    /// <summary>Executes one case until it meets INT3 or a fault.</summary>
    SubjectResult Execute(in InstructionCase test);
}
