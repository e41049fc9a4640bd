using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Everything in the state that decides how bytes become micro-ops: part of a block's key. 64-bit mode is zero.</summary>
/// <remarks><code>7..6 zero | 5 flat | 4 32-bit stack | 3 32-bit code | 2..0 ProcessorMode</code></remarks>
internal readonly record struct CodeMode(byte Value)
{
    private const byte Code32 = 1 << 3;
    private const byte Stack32 = 1 << 4;
    private const byte Flat = 1 << 5;

    /// <summary>The operating mode.</summary>
    public ProcessorMode Processor => (ProcessorMode)(Value & 7);

    /// <summary>64-bit mode: what the handlers are made for.</summary>
    public bool IsLong64 => Value == 0;

    /// <summary>Bits of operands and addresses without a prefix, as the decoder wants it: 16, 32 or 64.</summary>
    public int Bits => IsLong64 ? 64 : (Value & Code32) != 0 ? 32 : 16;

    /// <summary>Whether CS, SS, DS and ES begin at 0, have no limit, and the last three may be written: no access needs a check.</summary>
    public bool IsFlat => (Value & Flat) != 0;

    /// <summary>Whether ESP, not SP, is the stack pointer; not said of 64-bit mode.</summary>
    public bool HasStack32 => (Value & Stack32) != 0;

    /// <summary>The mode of a state.</summary>
    public static CodeMode Of(SystemState system, RFlags flags)
    {
        ProcessorMode mode = ProcessorModeOf(system, flags);
        if (mode == ProcessorMode.Long64)
            return default;
        int value = (int)mode;

        // The D/B flags of segments loaded in virtual-8086 mode are clear; in real-address mode those loaded before stay in force.
        if (mode != ProcessorMode.Virtual8086)
        {
            if (system.Cs.Big)
                value |= Code32;
            if (system.Ss.Big)
                value |= Stack32;
        }

        if (mode is ProcessorMode.Protected or ProcessorMode.Compatibility
            && SegmentWindow.IsFlatCode(system.Cs) && SegmentWindow.IsFlatData(system.Ss)
            && SegmentWindow.IsFlatData(system.Ds) && SegmentWindow.IsFlatData(system.Es))
            value |= Flat;
        return new CodeMode((byte)value);
    }

    private static ProcessorMode ProcessorModeOf(SystemState system, RFlags flags)
    {
        if ((system.Cr0 & Cr0.ProtectionEnable) == 0)
            return ProcessorMode.Real;
        if ((system.Efer & Efer.LongModeActive) != 0)
            return system.Cs.Long ? ProcessorMode.Long64 : ProcessorMode.Compatibility;
        return (flags & RFlags.Virtual8086) != 0 ? ProcessorMode.Virtual8086 : ProcessorMode.Protected;
    }
}
