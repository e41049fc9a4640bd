using Mmu86.Paging;

namespace Mmu86.Lab.Machines;

/// <summary>Where the emulator cannot answer first-level hits without asking the model: a matter of host time alone.</summary>
public static class FilterNotes
{
    /// <summary>A line for each first level whose accesses are all looked up; none where the filter answers hits of both.</summary>
    public static IEnumerable<string> Of(MmuDescription mmu)
    {
        if (mmu.LookUpEveryAccess || !FilterCoverage.AnswersFetches(mmu.L1Instruction, mmu.L2Instruction ?? mmu.L2))
            yield return "mmu.l1Instruction: every fetch is looked up in the model; the filter answers none";
        if (mmu.LookUpEveryAccess || !FilterCoverage.AnswersData(mmu.L1Data))
            yield return "mmu.l1Data: every access is looked up in the model; the filter answers none";
    }
}
