using Iced.Intel;

namespace Mmu86.GuestPrograms;

/// <summary>The chase with nodes at lines that fill caches of every level evenly (<see cref="SpreadLines"/>): curves as they are measured on silicon.</summary>
internal sealed class LineChaseGuest : ChaseGuest
{
    public override string Name => "line-chase";

    public override string Question => "At how many pages, one line in each, does a dependent load begin to wait for the next TLB or the next cache?";

    protected override void EmitLineOffset(Assembler c, ulong pageBytes) => SpreadLines.EmitOffset(c, pageBytes);
}
