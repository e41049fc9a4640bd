using System.Runtime.InteropServices;

namespace Mmu86.TestKit.HostCpu;

/// <summary>The state after a case. Its layout is that of <c>struct outcome</c> in host-cpu.c.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct SubjectResult
{
    /// <summary>The value of <see cref="Vector"/> where the case ran into the INT3 that surrounds its code, or was about to.</summary>
    public const ulong Completed = ulong.MaxValue;

    private const ulong BreakpointVector = 3;
    private const ulong PageFaultVector = 14;

    /// <summary>General-purpose registers.</summary>
    public RegisterBuffer Registers;

    /// <summary>RFLAGS.</summary>
    public ulong Flags;

    /// <summary>Where execution ended: the faulting instruction, or the INT3 that was reached.</summary>
    public ulong Rip;

    /// <summary>The exception's vector, or <see cref="Completed"/>.</summary>
    public ulong Vector;

    /// <summary>The exception's error code; 0 for one that has none.</summary>
    public ulong ErrorCode;

    /// <summary>CR2 after a page fault, else 0.</summary>
    public ulong FaultAddress;

    /// <summary>The base of FS.</summary>
    public ulong FsBase;

    /// <summary>The base of GS.</summary>
    public ulong GsBase;

    /// <summary>A sum over what was written to the data pages outside the window; 0 where nothing was.</summary>
    public ulong StraySum;

    /// <summary>What the window holds.</summary>
    public WindowBuffer Window;

    /// <summary>Turns the trap of the INT3 that ends a case, which leaves RIP behind it, into completion; clears what has no meaning.</summary>
    internal void Normalise(in InstructionCase test)
    {
        // What the upper halves hold after 16- or 32-bit code is undefined.
        for (int i = 0; i < 16 && test.IsNarrow; i++)
            Registers[i] = i < 8 ? (uint)Registers[i] : 0;

        if (Vector == BreakpointVector)
        {
            Vector = Completed;
            Rip--;
        }

        if (Vector != PageFaultVector)
            FaultAddress = 0;
        if (Vector == Completed)
            ErrorCode = 0;
    }
}
