using System.Runtime.CompilerServices;
using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <content>Devices, which may ask what time it is.</content>
/// <remarks>
/// Handlers count in registers, so in the middle of a chain of blocks nobody else knows how many instructions have retired. An op that
/// finds a device there leaves as if it had faulted, which charges what stands before it, and begins anew with the translation
/// that it found: one lookup, as in single steps. An access that crosses a page is made at once; no register of a device is that large.
/// </remarks>
public sealed unsafe partial class DataAccess
{
    private Deferral _deferral;
    private MicroOp* _deferredOp;
    private ulong _deferredAddress;
    private AccessKind _deferredKind;
    private Translation _deferredTranslation;

    private enum Deferral
    {
        None,

        /// <summary>An op found a device and is leaving.</summary>
        Leaving,

        /// <summary>It begins anew.</summary>
        Replaying,
    }

    /// <summary>Whether ops that find a device must let the run loop charge what stands before them first.</summary>
    internal bool DefersDevices { get; set; }

    /// <summary>The op that left because it found a device: it is to begin anew.</summary>
    /// <returns>False where an op left because it faulted.</returns>
    internal bool TryTakeDeferred(out MicroOp* op)
    {
        op = _deferredOp;
        if (_deferral != Deferral.Leaving)
            return false;
        _deferral = Deferral.Replaying;
        Reset();
        return true;
    }

    private byte* Defer(MicroOp* op, ulong address, AccessKind kind, in Translation translation)
    {
        _deferral = Deferral.Leaving;
        _deferredOp = op;
        _deferredAddress = address;
        _deferredKind = kind;
        _deferredTranslation = translation;
        _state->PendingCommit = CommitKind.Nothing;
        return null;
    }

    // Only while replaying: callers ask that first, for hardly any access is one.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool TryReplay(ulong address, AccessKind kind, out Translation translation)
    {
        translation = _deferredTranslation;
        if (address != _deferredAddress || kind != _deferredKind)
            return false;
        _deferral = Deferral.None;
        return true;
    }
}
