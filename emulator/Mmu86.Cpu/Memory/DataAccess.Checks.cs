using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <content>Alignment checks and data breakpoints.</content>
public sealed unsafe partial class DataAccess
{
    // An access that is translated, and about to be made.
    private bool Passes(ulong address, uint size, AccessKind kind, AccessMode mode)
    {
        if (Checks == AccessChecks.None || mode == AccessMode.Implicit)
            return true;
        if ((Checks & AccessChecks.Alignment) != 0 && mode == AccessMode.User && (address & AlignmentMask(size)) != 0)
            return _faults.Raise(ExceptionVector.AlignmentCheck, 0);
        _breakpoints.Accessed(address, size, kind);
        return true;
    }

    // SDM 3, "Interrupt 17—Alignment Check Exception (#AC)": far pointers and table registers are held to their widest part, at most 4.
    private static ulong AlignmentMask(uint size) => size switch
    {
        2 => 1,
        4 or 6 or 10 => 3,
        8 => 7,
        16 => 15,
        _ => 0,
    };
}
