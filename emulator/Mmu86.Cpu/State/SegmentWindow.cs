using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Mmu86.Cpu;

/// <summary>What of a segment register an access needs: its base, and the offsets that may be read and written.</summary>
/// <remarks>
/// Limit, expand-down, type and null selector are folded into two windows when the register is loaded. An access is allowed when
/// its first byte is not below the window and its last not above it; an empty window begins above its end.
/// SDM 3, "Limit Checking", "Type Checking".
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct SegmentWindow
{
    // No offset, nor the last byte of an access at one, is above: accesses wrap around at 4 GiB where the limit is FFFFFFFFH.
    private const ulong Unlimited = ulong.MaxValue;

    public ulong Base;
    public ulong ReadFirst;
    public ulong ReadLast;
    public ulong WriteFirst;
    public ulong WriteLast;

    /// <summary>A segment of 64-bit mode: nothing is checked.</summary>
    public static SegmentWindow Long64(ulong segmentBase) =>
        new() { Base = segmentBase, ReadLast = Unlimited, WriteLast = Unlimited };

    /// <summary>The windows of a loaded register.</summary>
    /// <param name="register">The register; FS and GS without their base.</param>
    /// <param name="segmentBase">Its base.</param>
    /// <param name="mode">Real-address and virtual-8086 mode check limits alone.</param>
    public static SegmentWindow Of(SegmentRegister register, ulong segmentBase, ProcessorMode mode)
    {
        bool isTyped = mode is ProcessorMode.Protected or ProcessorMode.Compatibility;
        var window = new SegmentWindow { Base = segmentBase, ReadFirst = 1, WriteFirst = 1 };
        if (isTyped && !register.Usable)
            return window;
        bool isCode = isTyped && (register.Attributes & 8) != 0;
        bool isDown = isTyped && !isCode && (register.Attributes & 4) != 0;
        ulong first = isDown ? (ulong)register.Limit + 1 : 0;
        ulong last = !isDown ? register.Limit : register.Big ? uint.MaxValue : ushort.MaxValue;
        if (last == uint.MaxValue && !isDown)
            last = Unlimited;
        bool secondTypeBit = !isTyped || (register.Attributes & 2) != 0;
        if (!isCode || secondTypeBit)
        {
            window.ReadFirst = first;
            window.ReadLast = last;
        }

        if (!isCode && secondTypeBit)
        {
            window.WriteFirst = first;
            window.WriteLast = last;
        }

        return window;
    }

    /// <summary>Whether code may run anywhere in 4 GiB.</summary>
    public static bool IsFlatCode(SegmentRegister register) => register.Usable && register.Base == 0 && register.Limit == uint.MaxValue;

    /// <summary>Whether anything in 4 GiB may be read and written.</summary>
    public static bool IsFlatData(SegmentRegister register) =>
        register.Usable && register.Base == 0 && register.Limit == uint.MaxValue && (register.Attributes & 0xE) == 2;
}

/// <summary>The windows of ES, CS, SS, DS, FS and GS, in the order of their encoding.</summary>
[InlineArray(Count)]
internal struct SegmentWindows
{
    public const int Count = 6;
    public const int Es = 0;
    public const int Cs = 1;
    public const int Ss = 2;
    public const int Ds = 3;
    public const int Fs = 4;
    public const int Gs = 5;

    private SegmentWindow _first;
}
