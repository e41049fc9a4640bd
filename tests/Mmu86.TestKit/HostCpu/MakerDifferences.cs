using System.Runtime.Intrinsics.X86;
using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Which of two faults comes first where the manual is silent and processors of other makers do otherwise than Intel's, whose order Mmu86 has.</summary>
internal static class MakerDifferences
{
    // "Genu", the first letters of GenuineIntel.
    private const int Intel = 0x756E_6547;

    // An access that begins here may cross the end of a segment of 4 GiB.
    private const ulong LastBytes = 0xFFFF_FFF0;

    /// <summary>Whether a case outside 64-bit mode may end by another fault on this host.</summary>
    /// <param name="test">The case.</param>
    /// <param name="expected">What the host did.</param>
    /// <param name="actual">What the other subject did.</param>
    public static bool MayEndOtherwise(in InstructionCase test, in SubjectResult expected, in SubjectResult actual)
    {
        ulong at = expected.Rip;
        if (!test.IsNarrow || at != actual.Rip || X86Base.CpuId(0, 0).Ebx == Intel)
            return false;
        ulong host = expected.Vector, other = actual.Vector, address = actual.FaultAddress;
        return CaseText.Decode(test).Any(instruction => instruction.IP == at && instruction.Mnemonic switch
        {
            // Both bounds may be read before the index is held against the lower one.
            Mnemonic.Bound => host is (ulong)ExceptionVector.PageFault or (ulong)ExceptionVector.GeneralProtection or (ulong)ExceptionVector.StackFault
                && other is (ulong)ExceptionVector.BoundRange,

            // An access that wraps around at 4 GiB: past the limit, or at the address where it begins.
            Mnemonic.Enter => host is (ulong)ExceptionVector.StackFault && other is (ulong)ExceptionVector.PageFault && address >= LastBytes,
            Mnemonic.Bt or Mnemonic.Bts or Mnemonic.Btr or Mnemonic.Btc => host is (ulong)ExceptionVector.StackFault or (ulong)ExceptionVector.GeneralProtection
                && other is (ulong)ExceptionVector.PageFault && address >= LastBytes,
            _ => false,
        });
    }
}
