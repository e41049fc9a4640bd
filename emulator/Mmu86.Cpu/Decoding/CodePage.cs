using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>The decoded blocks of one host frame and one form.</summary>
internal sealed unsafe class CodePage(int index, HostFrameNumber frame, uint* entries)
{
    /// <summary>Position in the code cache's list.</summary>
    public int Index { get; } = index;

    public HostFrameNumber Frame { get; } = frame;

    /// <summary>4096 op indices.</summary>
    public uint* Entries { get; } = entries;

    /// <summary>Offsets whose entry is not zero, so that dropping does not scan.</summary>
    public List<ushort> UsedOffsets { get; } = [];

    /// <summary>Pages with an instruction that reaches into this frame: dropped with it.</summary>
    public List<CodePage> CrossedInto { get; } = [];
}
