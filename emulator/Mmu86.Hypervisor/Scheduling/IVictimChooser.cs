using Mmu86.X86;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>Decides which frame of a machine gives way. Asked at barriers only.</summary>
public interface IVictimChooser
{
    /// <summary>Chooses a frame. It may clear accessed flags; the invalidation that this needs is the caller's.</summary>
    /// <param name="memory">The machine's memory, and what hardware shows of its use.</param>
    /// <param name="victim">A resident frame.</param>
    /// <returns>False where none is resident.</returns>
    bool TryChoose(GuestMemoryManager memory, out GuestFrameNumber victim);
}
