using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>The stack that a transfer pushes on: the current one, or one of an inner level that is not loaded yet.</summary>
internal readonly struct TransferStack
{
    private readonly SegmentWindow _window;
    private readonly ulong _mask;
    private readonly ulong _presentBits;
    private readonly ulong _pointer;

    private TransferStack(SegmentWindow window, ulong mask, ulong presentBits, ulong pointer)
    {
        _window = window;
        _mask = mask;
        _presentBits = presentBits;
        _pointer = pointer;
    }

    /// <summary>The stack in use.</summary>
    public static unsafe TransferStack Current(Vcpu vcpu)
    {
        CpuState* s = vcpu.State;
        return new TransferStack(s->Segments[SegmentWindows.Ss], s->StackMask, ~s->AbsentAddressBits, vcpu.Registers.Rsp);
    }

    /// <summary>A stack of 64-bit mode.</summary>
    public static TransferStack Long(ulong pointer) => new(SegmentWindow.Long64(0), ulong.MaxValue, ulong.MaxValue, pointer);

    /// <summary>A stack of protected mode.</summary>
    public static TransferStack Of(SegmentRegister segment, ulong pointer) => new(
        SegmentWindow.Of(segment, segment.Base, ProcessorMode.Protected), segment.Big ? uint.MaxValue : ushort.MaxValue, uint.MaxValue, pointer);

    /// <summary>The linear address of a word to be pushed.</summary>
    /// <param name="bytesBelow">Where it is: so many bytes below the stack pointer.</param>
    /// <param name="size">Its size.</param>
    /// <returns>The address; <see cref="Segmentation.Refused"/> outside the segment.</returns>
    public ulong Linear(ulong bytesBelow, uint size)
    {
        ulong offset = (_pointer - bytesBelow) & _mask;
        if (offset < _window.WriteFirst || offset + (size - 1) > _window.WriteLast)
            return Segmentation.Refused;
        return (_window.Base + offset) & _presentBits;
    }

    /// <summary>Whether words can be pushed without leaving the segment.</summary>
    public bool HasRoom(int words, int wordBytes)
    {
        for (int i = 1; i <= words; i++)
        {
            if (Linear((ulong)(i * wordBytes), (uint)wordBytes) == Segmentation.Refused)
                return false;
        }

        return true;
    }

    /// <summary>RSP when so many bytes were pushed: SP leaves the upper bits as they were.</summary>
    public ulong After(int bytes) => ((_pointer & ~_mask) | ((_pointer - (ulong)bytes) & _mask)) & _presentBits;
}
