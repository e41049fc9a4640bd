using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Mmu86.TestKit.HostCpu;

/// <summary>One test of instructions: code and the state before it. Its layout is that of <c>struct test_case</c> in host-cpu.c.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct InstructionCase
{
    /// <summary>General-purpose registers before the first instruction.</summary>
    public RegisterBuffer Registers;

    /// <summary>RFLAGS before the first instruction. TF must be clear.</summary>
    public ulong Flags;

    /// <summary>Where the code lies and execution begins.</summary>
    public ulong CodeAddress;

    /// <summary>Bytes of code: at most <see cref="CodeBuffer.Bytes"/>, and none past the code pages.</summary>
    public ulong CodeLength;

    /// <summary>The base of FS; canonical and not negative.</summary>
    public ulong FsBase;

    /// <summary>The base of GS; canonical and not negative.</summary>
    public ulong GsBase;

    /// <summary>Where the window lies, wholly within the data pages.</summary>
    public ulong WindowAddress;

    /// <summary>CS, DS, ES, SS, FS and GS of 16- or 32-bit code, as <see cref="NarrowSegments"/> has them; CS is 0 for 64-bit code.</summary>
    public SelectorBuffer Selectors;

    /// <summary>The code.</summary>
    public CodeBuffer Code;

    /// <summary>What the window holds before the first instruction.</summary>
    public WindowBuffer Window;

    /// <summary>Whether the code is of 16 or 32 bits.</summary>
    public readonly bool IsNarrow => Selectors[0] != 0;

    /// <summary>16, 32 or 64.</summary>
    public readonly int CodeBits => IsNarrow ? NarrowSegments.CodeBits(Selectors[0]) : 64;

    /// <summary>Where the code begins as an offset in CS.</summary>
    public readonly ulong EntryPoint => IsNarrow ? CodeAddress - NarrowSegments.Of(Selectors[0]).Base : CodeAddress;

    /// <summary>The bytes of code that are used.</summary>
    [UnscopedRef]
    public readonly ReadOnlySpan<byte> CodeBytes => ((ReadOnlySpan<byte>)Code)[..(int)CodeLength];
}
