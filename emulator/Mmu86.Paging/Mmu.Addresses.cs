using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <content>What comes before a walk: addresses that are not translated as they are, and the registers of PAE paging.</content>
public sealed unsafe partial class Mmu<TPolicy>
{
    /// <inheritdoc/>
    public bool IsCanonical(LinearAddress address, AccessKind kind, AccessMode mode)
    {
        ulong linear = address.Value;
        return _addresses.IsOrdinary(linear) || _addresses.TryPrepare(ref linear, kind, mode);
    }

    /// <inheritdoc/>
    public PdpteLoad LoadPdptes(ulong cr3, out PdpteRegisters registers)
    {
        // AMD's nested paging has no such registers: each walk reads the entry in memory.
        if (_context.IsNested && _configuration.Nested.Format == NestedFormat.Npt)
        {
            registers = default;
            return PdpteLoad.Loaded;
        }

        if (!_walker.TryReadPdptes(cr3, out registers))
        {
            _fault = _walker.Fault;
            return PdpteLoad.Refused;
        }

        return registers.MayBeLoaded(_configuration.PhysicalAddressBits) ? PdpteLoad.Loaded : PdpteLoad.Reserved;
    }

    /// <inheritdoc/>
    public IReadOnlyList<WalkReference> InspectPdptes(ulong cr3)
    {
        if (_context.IsNested && _configuration.Nested.Format == NestedFormat.Npt)
            return [];
        _walker.InspectPdptes(cr3);
        WalkReference[] steps = _walker.Recorder.Steps();
        Typing.AnnotatePdptes(steps);
        return steps;
    }

    // As TryTranslate, whose short way is for ordinary addresses.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryTranslateUnusual(ulong linear, AccessKind kind, AccessMode mode, out Translation translation)
    {
        ulong given = linear;
        if (!_addresses.TryPrepare(ref linear, kind, mode))
            return FailNonCanonical(given, kind, mode, out translation);
        TlbLevel level = FirstLevel(kind);
        if (kind == AccessKind.Fetch)
            _fetch.SlowLookups++;
        else
            _data.SlowLookups++;
        return level.TryFind(linear, _space, _globalSpace, out TlbHit hit)
            ? TryTranslateElsewhere(linear, kind, mode, hit.Lane, hit.Entry, hit.Set, out translation)
            : TryTranslateElsewhere(linear, kind, mode, level.Door, -1, 0, out translation);
    }
}
