using System.Runtime.CompilerServices;
using Iced.Intel;
using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>Where a string instruction is: rSI, rDI and rCX while it runs.</summary>
internal unsafe struct StringCursor
{
    private const byte Rcx = 1 * 8;
    private const byte Rsi = 6 * 8;
    private const byte Rdi = 7 * 8;

    private readonly CpuState* _state;
    private readonly ulong _mask;
    private readonly ulong _segmentBase;
    private readonly int _elementBytes;
    private readonly int _sourceSegment;

    // Outside 64-bit mode each element is held against its segment.
    private readonly bool _isChecked;
    private ulong _source;
    private ulong _destination;

    /// <summary>Reads the registers, as wide as the address size.</summary>
    public StringCursor(CpuState* s, in Instruction instruction, int elementBytes)
    {
        _state = s;
        _mask = StringAddress.Mask(instruction);
        _elementBytes = elementBytes;
        _isChecked = s->AbsentAddressBits != 0;

        // Only the source takes a segment override; in 64-bit mode only FS and GS have a base.
        _sourceSegment = RegisterOffsets.SegmentNumber(Operands.PrefixedSegment(instruction));
        _segmentBase = instruction.SegmentPrefix is Register.FS or Register.GS
            ? Registers.Read(s, RegisterOffsets.OfSegment(instruction.SegmentPrefix))
            : 0;
        _source = Registers.Read(s, Rsi) & _mask;
        _destination = Registers.Read(s, Rdi) & _mask;
        Remaining = Registers.Read(s, Rcx) & _mask;
        Step = (s->SystemFlags & (ulong)X86.RFlags.Direction) == 0 ? elementBytes : -elementBytes;
    }

    /// <summary>Linear address of the next source element; <see cref="Segmentation.Refused"/> where its segment refuses it.</summary>
    public readonly ulong Source => _isChecked
        ? Segmentation.Linear(_state, _sourceSegment, _source, (uint)_elementBytes, AccessKind.Read)
        : _segmentBase + _source;

    /// <summary>Whether the source is in SS, whose faults are #SS.</summary>
    public readonly bool IsSourceStack => _isChecked && _sourceSegment == SegmentWindows.Ss;

    /// <summary>Elements left to do: rCX.</summary>
    public ulong Remaining { get; private set; }

    /// <summary>Bytes from one element to the next: negative with DF=1.</summary>
    public long Step { get; }

    /// <summary>Linear address of the next destination element, which is in ES; as <see cref="Source"/>.</summary>
    public readonly ulong Destination(AccessKind kind) => _isChecked
        ? Segmentation.Linear(_state, SegmentWindows.Es, _destination, (uint)_elementBytes, kind)
        : _destination;

    /// <summary>The source elements, the next one included, that lie wholly in its page.</summary>
    public readonly ulong SourceFit(uint size) => _isChecked
        ? Math.Min(Fit(Source, _source, size), FitInSegment((SegmentWindow*)&_state->Segments + _sourceSegment, AccessKind.Read, _source, size))
        : Fit(_segmentBase + _source, _source, size);

    /// <summary>The destination elements, the next one included, that lie wholly in its page.</summary>
    public readonly ulong DestinationFit(uint size, AccessKind kind) => _isChecked
        ? Math.Min(Fit(Destination(kind), _destination, size), FitInSegment((SegmentWindow*)&_state->Segments + SegmentWindows.Es, kind, _destination, size))
        : Fit(_destination, _destination, size);

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

    /// <summary>Puts rSI and rDI back. With 32-bit addresses the upper halves become zero, with 16-bit ones they stay.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void SavePointers<TOperation>(CpuState* s)
        where TOperation : struct, IStringOperation
    {
        if (TOperation.HasSource)
            StringAddress.Save(s, Rsi, _mask, _source);
        if (TOperation.HasDestination)
            StringAddress.Save(s, Rdi, _mask, _destination);
    }

    /// <summary>Puts rCX back.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void SaveCount(CpuState* s) => StringAddress.Save(s, Rcx, _mask, Remaining);

    private readonly ulong Fit(ulong linear, ulong offset, uint size)
    {
        uint inPage = (uint)(linear & 0xFFF);
        ulong fit = Step > 0 ? (4096 - inPage) / size
            : inPage + size <= 4096 ? (inPage / size) + 1
            : 0;
        if (_mask == ulong.MaxValue)
            return fit;

        // Narrower offsets wrap around, which with a segment base may be in the middle of a page.
        ulong toWrap = Step > 0 ? (_mask - offset + size) / size : (offset / size) + 1;
        return Math.Min(fit, toWrap);
    }

    // How many elements the segment allows before it refuses one.
    private readonly ulong FitInSegment(SegmentWindow* window, AccessKind kind, ulong offset, uint size)
    {
        ulong first = kind == AccessKind.Write ? window->WriteFirst : window->ReadFirst;
        ulong last = kind == AccessKind.Write ? window->WriteLast : window->ReadLast;
        if (offset < first || offset + (size - 1) > last)
            return 0;

        // A window without an end is longer than any run.
        return Step < 0 ? ((offset - first) / size) + 1 : last == ulong.MaxValue ? last : (last - offset + 1) / size;
    }
}
