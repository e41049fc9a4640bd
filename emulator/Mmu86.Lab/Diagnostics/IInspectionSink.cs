namespace Mmu86.Lab.Diagnostics;

/// <summary>One who is told of every translation of an inspected run.</summary>
public interface IInspectionSink
{
    /// <summary>An instruction made an access. Accesses of one instruction come one after the other, the fetch first.</summary>
    void Accessed(InstructionText instruction, InspectedAccess access);
}
