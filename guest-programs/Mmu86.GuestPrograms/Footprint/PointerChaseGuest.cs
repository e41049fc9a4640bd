using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The chase with the node of page i at its line i mod 64, whatever the size of pages is.</summary>
internal sealed class PointerChaseGuest : ChaseGuest
{
    private const int LineBytes = 64;
    private const int LineMask = 63;

    public override string Name => "pointer-chase";

    public override string Question => "What does a load cost when every step depends on the last and lands on a page chosen at random?";

    protected override void EmitLineOffset(Assembler c, ulong pageBytes)
    {
        c.mov(edx, eax);
        c.and(edx, LineMask);
        c.imul(edx, edx, LineBytes);
    }
}
