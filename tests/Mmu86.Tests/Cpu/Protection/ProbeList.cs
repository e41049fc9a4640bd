using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Protection;

/// <summary>The experiments.</summary>
internal static partial class ProbeList
{
    private const uint Far = 0x80;
    private const uint Farther = 0xC0;
    private const uint IoPrivilege3 = 0x3000;

    // EFLAGS.NT, and the type of a call gate.
    private const int NestedTask = 0x4000;
    private const uint CallGate32 = 0x8C;
    private const uint CallGate16 = 0x84;
    private const uint Level3 = 0x60;

    /// <summary>What segments, gates and tasks do.</summary>
    public static IReadOnlyList<Probe> Protection { get; } =
        [.. SegmentLoads(), .. FarTransfers(), .. CallGates(), .. Returns(), .. Interrupts(), .. Tasks(), .. Virtual(), .. Real()];

    /// <summary>Virtual interrupts, debug exceptions, stacks, I/O maps, control registers, encodings.</summary>
    public static IReadOnlyList<Probe> Corners { get; } = [.. VirtualInterrupts(), .. DebugExceptions(), .. Stacks(), .. InputAndOutput(), .. Control()];

    private static void Load(ProbeWriter w, ushort selector, ulong descriptor, byte register)
    {
        if (descriptor != 0)
            w.Descriptor(selector, descriptor);
        w.Code.mov(eax, selector);
        w.Code.db(0x8E, register);
        ProbeWriter.Finish(w.Code);
    }

    // JMP or CALL ptr16:32.
    private static void Transfer(Assembler c, byte opcode, ushort selector, uint offset)
    {
        c.db(opcode);
        c.dd(offset);
        c.dw(selector);
    }
}
