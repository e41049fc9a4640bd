using System.Runtime.CompilerServices;
using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Where a string instruction is: rSI, rDI and rCX while it runs.</summary>
internal unsafe struct StringCursor
{
    private const byte Rcx = 1 * 8;
    private const byte Rsi = 6 * 8;
    private const byte Rdi = 7 * 8;

    private readonly ulong _mask;
    private readonly ulong _segmentBase;
    private ulong _source;
    private ulong _destination;

    /// <summary>Reads the registers, as wide as the address size.</summary>
    public StringCursor(CpuState* s, in Instruction instruction, int elementBytes)
    {
        _mask = HasWideAddresses(instruction) ? ulong.MaxValue : uint.MaxValue;

        // Only the source takes a segment override, and only FS and GS have a base.
        _segmentBase = instruction.SegmentPrefix is Register.FS or Register.GS
            ? Registers.Read(s, RegisterOffsets.OfSegment(instruction.SegmentPrefix))
            : 0;
        _source = Registers.Read(s, Rsi) & _mask;
        _destination = Registers.Read(s, Rdi) & _mask;
        Remaining = Registers.Read(s, Rcx) & _mask;
        Step = (s->SystemFlags & (ulong)RFlags.Direction) == 0 ? elementBytes : -elementBytes;
    }

    /// <summary>Linear address of the next source element.</summary>
    public readonly ulong Source => _segmentBase + _source;

    /// <summary>Linear address of the next destination element.</summary>
    public readonly ulong Destination => _destination;

    /// <summary>Elements left to do: rCX.</summary>
    public ulong Remaining { get; private set; }

    /// <summary>Bytes from one element to the next: negative with DF=1.</summary>
    public long Step { get; }

    /// <summary>The source elements, the next one included, that lie wholly in its page.</summary>
    public readonly ulong SourceFit(uint size) => Fit(Source, _source, size);

    /// <summary>The destination elements, the next one included, that lie wholly in its page.</summary>
    public readonly ulong DestinationFit(uint size) => Fit(_destination, _destination, size);

    /// <summary>Passes so many elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Advance<TOperation>(ulong elements)
        where TOperation : struct, IStringOperation
    {
        ulong distance = elements * (ulong)Step;
        if (TOperation.HasSource)
            _source = (_source + distance) & _mask;
        if (TOperation.HasDestination)
            _destination = (_destination + distance) & _mask;
        Remaining -= elements;
    }

    /// <summary>Puts rSI and rDI back. With 32-bit addresses the upper halves become zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void SavePointers<TOperation>(CpuState* s)
        where TOperation : struct, IStringOperation
    {
        if (TOperation.HasSource)
            *Registers.Pointer(s, Rsi) = _source;
        if (TOperation.HasDestination)
            *Registers.Pointer(s, Rdi) = _destination;
    }

    /// <summary>Puts rCX back.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void SaveCount(CpuState* s) => *Registers.Pointer(s, Rcx) = Remaining;

    private static bool HasWideAddresses(in Instruction instruction) =>
        IsWide(instruction.Op0Kind) || IsWide(instruction.Op1Kind);

    private static bool IsWide(OpKind kind) => kind is OpKind.MemorySegRSI or OpKind.MemoryESRDI;

    private readonly ulong Fit(ulong linear, ulong offset, uint size)
    {
        uint inPage = (uint)(linear & 0xFFF);
        ulong fit = Step > 0 ? (4096 - inPage) / size
            : inPage + size <= 4096 ? (inPage / size) + 1
            : 0;
        if (_mask == ulong.MaxValue)
            return fit;

        // 32-bit offsets wrap around, which with a segment base may be in the middle of a page.
        ulong toWrap = Step > 0 ? (_mask - offset + size) / size : (offset / size) + 1;
        return Math.Min(fit, toWrap);
    }
}
