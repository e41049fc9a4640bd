using System.Runtime.CompilerServices;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Data accesses that do not go through the filter: slow handlers, managed instructions, event delivery.</summary>
/// <remarks>
/// An access that crosses a page translates both pages before it moves a byte. Counting follows the contract: what retired
/// instructions accessed; of faulting attempts only their lookups.
/// </remarks>
public sealed unsafe partial class DataAccess
{
    private readonly CpuState* _state;
    private readonly IMmu _mmu;
    private readonly HostMemory _memory;
    private readonly MmioBus _mmio;
    private readonly FaultState _faults;
    private readonly CpuCounters _counters;
    private readonly Breakpoints _breakpoints;

    // What HandlerCommit needs besides the kind in the state.
    private HostPhysicalAddress _commitFirst;
    private HostPhysicalAddress _commitSecond;
    private bool _commitFirstIsRam;
    private bool _commitSecondIsRam;
    private uint _commitFirstBytes;
    private uint _commitBytes;

    // Of the instruction in progress.
    private ulong _loads;
    private ulong _stores;
    private ulong _implicit;

    internal DataAccess(CpuState* state, IMmu mmu, HostMemory memory, MmioBus mmio, FaultState faults, CpuCounters counters, Breakpoints breakpoints)
    {
        _state = state;
        _mmu = mmu;
        _memory = memory;
        _mmio = mmio;
        _faults = faults;
        _counters = counters;
        _breakpoints = breakpoints;
    }

    /// <summary>The mode of explicit accesses now: by CPL and RFLAGS.AC.</summary>
    public AccessMode Mode { get; internal set; }

    /// <summary>What explicit accesses are checked for besides their translation. Mostly nothing.</summary>
    internal AccessChecks Checks { get; set; }

    /// <summary>Loads a value of 1, 2, 4, 8 or 16 bytes for a managed instruction.</summary>
    /// <returns>False where it faulted; the fault is recorded and the instruction must end without committing anything.</returns>
    public bool TryRead<T>(ulong address, out T value, bool isStack = false)
        where T : unmanaged
    {
        _loads++;
        return TryReadAs(address, Mode, isStack ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection, out value);
    }

    /// <summary>Loads for the processor itself: descriptor tables, TSS. Supervisor mode whatever the CPL.</summary>
    public bool TryReadImplicit<T>(ulong address, out T value)
        where T : unmanaged
    {
        _implicit++;
        return TryReadAs(address, AccessMode.Implicit, ExceptionVector.GeneralProtection, out value);
    }

    /// <summary>Stores a value of 1, 2, 4, 8 or 16 bytes for a managed instruction, at once: it must be the last access that can fault.</summary>
    /// <returns>As <see cref="TryRead"/>.</returns>
    public bool TryWrite<T>(ulong address, T value, bool isStack = false)
        where T : unmanaged
    {
        _stores++;
        return TryWriteAs(address, Mode, isStack ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection, value);
    }

    /// <summary>Stores for the processor itself: exception stacks, busy bits. Supervisor mode whatever the CPL.</summary>
    public bool TryWriteImplicit<T>(ulong address, T value, bool isStack)
        where T : unmanaged
    {
        _implicit++;
        return TryWriteAs(address, AccessMode.Implicit, isStack ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection, value);
    }

    /// <summary>Checks that a store would succeed, with everything that its translation does (accessed, dirty), without storing. One lookup a page.</summary>
    public bool TryProbeWrite(ulong address, uint size, AccessMode mode, ExceptionVector nonCanonicalVector) =>
        TryWriteSpan(address, size, mode, nonCanonicalVector) != null;

    /// <summary>Elements of a string instruction that were moved without a lookup of their own: each access is one lookup all the same.</summary>
    internal void CountElements(ulong loads, ulong stores)
    {
        _counters.ManagedLoads += loads;
        _counters.ManagedStores += stores;
        _counters.ExtraDataLookups += loads + stores;
    }

    /// <summary>Whether the last store touched any byte of a range of RAM.</summary>
    internal bool StoredInto(HostPhysicalAddress start, uint length) =>
        Overlaps(_commitFirst, _commitFirstBytes, start, length)
        || (_commitFirstBytes < _commitBytes && Overlaps(_commitSecond, _commitBytes - _commitFirstBytes, start, length));

    [SkipLocalsInit]
    internal byte* HandlerRead(MicroOp* op, ulong address, uint size)
    {
        if ((uint)(address & 0xFFF) + size > 4096 || Checks != AccessChecks.None)
            return ReadSpan(address, size, Mode, NonCanonicalVector(op));

        // The common case, a TLB miss of a load inside one page of RAM, does not ask what a fault would be called.
        _state->PendingLookups++;
        if ((_deferral != Deferral.Replaying || !TryReplay(address, AccessKind.Read, out Translation translation))
            && !_mmu.TryTranslate(new LinearAddress(address), AccessKind.Read, Mode, out translation))
        {
            RaiseFailure(NonCanonicalVector(op));
            return null;
        }

        // SAFETY: IsRam covers the whole 4 KiB frame and the access stays inside it.
        if (translation.IsRam)
            return _memory.Base + translation.Address.Value;
        if (DefersDevices)
            return Defer(op, address, AccessKind.Read, translation);
        GatherDevice(translation.Address, size, _state->Bounce);
        return _state->Bounce;
    }

    internal byte* HandlerWrite(MicroOp* op, ulong address, uint size)
    {
        byte* pointer = TryWriteSpan(address, size, Mode, NonCanonicalVector(op));
        if (pointer != null && DefersDevices && _state->PendingCommit == CommitKind.Device)
            return Defer(op, address, AccessKind.Write, new Translation(_commitFirst, default, false));

        // A read-modify-write reads the bounce buffer; a plain store must not read a device.
        if (pointer != null && _state->PendingCommit != CommitKind.Ram && _state->PendingCommit != CommitKind.Nothing
            && (_state->Details[op - _state->Pool].Flags & MicroOpFlags.ReadsDestination) != 0)
            CopyIn(size);
        return pointer;
    }

    internal byte* HandlerPush(MicroOp* op, ulong address, uint size)
    {
        byte* pointer = TryWriteSpan(address, size, Mode, ExceptionVector.StackFault);
        return pointer != null && DefersDevices && _state->PendingCommit == CommitKind.Device
            ? Defer(op, address, AccessKind.Write, new Translation(_commitFirst, default, false))
            : pointer;
    }

    internal void HandlerCommit() => Commit();

    /// <summary>An instruction of the handlers retired: its accesses are counted by its block, its splits here.</summary>
    internal void CountSplits()
    {
        _counters.Splits += _state->PendingSplits;
        _counters.ExtraDataLookups += _state->PendingSplits;
        _state->PendingSplits = 0;
    }

    /// <summary>A managed instruction, an element of a repeated one, or an event delivery completed.</summary>
    internal void ManagedRetired()
    {
        _counters.ManagedLoads += _loads;
        _counters.ManagedStores += _stores;
        _counters.Implicit += _implicit;
        _counters.Splits += _state->PendingSplits;
        _counters.ExtraDataLookups += _state->PendingLookups;
        Reset();
    }

    /// <summary>The instruction in progress faulted: only its lookups count.</summary>
    internal void Faulted()
    {
        _counters.ExtraDataLookups += _state->PendingLookups;
        Reset();
    }

    /// <summary>Writes what the instruction in progress has accessed: something only where the delivery of an event was cut short.</summary>
    internal void Save(StateWriter writer)
    {
        if (_deferral != Deferral.None)
            throw new InvalidOperationException("An access to a device is under way.");
        writer.WriteArray<ulong>([_loads, _stores, _implicit, _state->PendingLookups, _state->PendingSplits]);
    }

    /// <summary>Reads it back.</summary>
    internal void Load(StateReader reader)
    {
        Span<ulong> counts = stackalloc ulong[5];
        reader.ReadArray("accesses", counts);
        (_loads, _stores, _implicit, _state->PendingLookups, _state->PendingSplits) = (counts[0], counts[1], counts[2], counts[3], counts[4]);
    }

    private void Reset()
    {
        _state->PendingLookups = 0;
        _state->PendingSplits = 0;
        _loads = 0;
        _stores = 0;
        _implicit = 0;
    }

    private ExceptionVector NonCanonicalVector(MicroOp* op) =>
        (_state->Details[op - _state->Pool].Flags & MicroOpFlags.StackReference) != 0 ? ExceptionVector.StackFault : ExceptionVector.GeneralProtection;

    private bool TryReadAs<T>(ulong address, AccessMode mode, ExceptionVector nonCanonicalVector, out T value)
        where T : unmanaged
    {
        byte* pointer = ReadSpan(address, (uint)sizeof(T), mode, nonCanonicalVector);
        if (pointer == null)
        {
            value = default;
            return false;
        }

        value = Unsafe.ReadUnaligned<T>(pointer);
        return true;
    }

    private bool TryWriteAs<T>(ulong address, AccessMode mode, ExceptionVector nonCanonicalVector, T value)
        where T : unmanaged
    {
        byte* pointer = TryWriteSpan(address, (uint)sizeof(T), mode, nonCanonicalVector);
        if (pointer == null)
            return false;
        Unsafe.WriteUnaligned(pointer, value);
        Commit();
        return true;
    }

    // The bytes of a load: in RAM, or gathered in the bounce buffer. Null where it faulted.
    private byte* ReadSpan(ulong address, uint size, AccessMode mode, ExceptionVector nonCanonicalVector)
    {
        uint inFirst = 4096 - (uint)(address & 0xFFF);
        if (size > inFirst && !IsCanonical(address, inFirst, AccessKind.Read, mode, nonCanonicalVector))
            return null;
        _state->PendingLookups++;
        if (!Translate(address, AccessKind.Read, mode, nonCanonicalVector, out Translation first))
            return null;
        if (size <= inFirst)
        {
            if (!Passes(address, size, AccessKind.Read, mode))
                return null;

            // SAFETY: IsRam covers the whole 4 KiB frame and the access stays inside it.
            if (first.IsRam)
                return _memory.Base + first.Address.Value;
            GatherDevice(first.Address, size, _state->Bounce);
            return _state->Bounce;
        }

        _state->PendingLookups++;
        _state->PendingSplits++;
        if (!Translate(NextPage(address, inFirst), AccessKind.Read, mode, nonCanonicalVector, out Translation second)
            || !Passes(address, size, AccessKind.Read, mode))
            return null;
        Gather(first, inFirst, _state->Bounce);
        Gather(second, size - inFirst, _state->Bounce + inFirst);
        return _state->Bounce;
    }

    // Where a store puts its bytes before Commit: in RAM directly, or in the bounce buffer. Null where it faulted.
    private byte* TryWriteSpan(ulong address, uint size, AccessMode mode, ExceptionVector nonCanonicalVector)
    {
        uint inFirst = 4096 - (uint)(address & 0xFFF);
        if (size > inFirst && !IsCanonical(address, inFirst, AccessKind.Write, mode, nonCanonicalVector))
            return null;
        _state->PendingLookups++;
        if (!Translate(address, AccessKind.Write, mode, nonCanonicalVector, out Translation first))
            return null;
        if (size <= inFirst && !Passes(address, size, AccessKind.Write, mode))
            return null;
        _commitFirst = first.Address;
        _commitFirstIsRam = first.IsRam;
        _commitBytes = size;
        _commitFirstBytes = size;
        if (size <= inFirst)
        {
            if (first.IsRam)
            {
                _state->PendingCommit = _memory.GuardedLines(first.Address.Frame) == 0 ? CommitKind.Nothing : CommitKind.Ram;
                return _memory.Base + first.Address.Value;
            }

            _state->PendingCommit = CommitKind.Device;
            return _state->Bounce;
        }

        _state->PendingLookups++;
        _state->PendingSplits++;
        if (!Translate(NextPage(address, inFirst), AccessKind.Write, mode, nonCanonicalVector, out Translation second)
            || !Passes(address, size, AccessKind.Write, mode))
            return null;
        _state->PendingCommit = CommitKind.Split;
        _commitFirstBytes = inFirst;
        _commitSecond = second.Address;
        _commitSecondIsRam = second.IsRam;
        return _state->Bounce;
    }

    private void CopyIn(uint size)
    {
        Gather(new Translation(_commitFirst, default, _commitFirstIsRam), _commitFirstBytes, _state->Bounce);
        if (_commitFirstBytes < size)
            Gather(new Translation(_commitSecond, default, _commitSecondIsRam), size - _commitFirstBytes, _state->Bounce + _commitFirstBytes);
    }

    private void Commit()
    {
        switch (_state->PendingCommit)
        {
            case CommitKind.Nothing:
                break;
            case CommitKind.Ram:
                _memory.NoteWrite(_commitFirst, _commitBytes);
                break;
            case CommitKind.Device:
                Scatter(_commitFirst, false, _commitBytes, _state->Bounce);
                break;
            case CommitKind.Split:
                Scatter(_commitFirst, _commitFirstIsRam, _commitFirstBytes, _state->Bounce);
                Scatter(_commitSecond, _commitSecondIsRam, _commitBytes - _commitFirstBytes, _state->Bounce + _commitFirstBytes);
                break;
        }

        _state->PendingCommit = CommitKind.Nothing;
    }

    private void Gather(in Translation from, uint size, byte* destination)
    {
        if (from.IsRam)
            Unsafe.CopyBlockUnaligned(destination, _memory.Base + from.Address.Value, size);
        else
            GatherDevice(from.Address, size, destination);
    }

    private void GatherDevice(HostPhysicalAddress address, uint size, byte* destination)
    {
        uint done = 0;
        while (done < size)
        {
            uint step = LargestPowerOfTwo(size - done);
            ulong value = _mmio.Read(new HostPhysicalAddress(address.Value + done), (int)step);
            Unsafe.CopyBlockUnaligned(destination + done, &value, step);
            done += step;
        }
    }

    private void Scatter(HostPhysicalAddress address, bool isRam, uint size, byte* source)
    {
        if (isRam)
        {
            _memory.Write(address, new ReadOnlySpan<byte>(source, (int)size));
            return;
        }

        uint done = 0;
        while (done < size)
        {
            uint step = LargestPowerOfTwo(size - done);
            ulong value = 0;
            Unsafe.CopyBlockUnaligned(&value, source + done, step);
            _mmio.Write(new HostPhysicalAddress(address.Value + done), value, (int)step);
            done += step;
        }
    }

    private static bool Overlaps(HostPhysicalAddress a, uint aLength, HostPhysicalAddress b, uint bLength) =>
        a.Value < b.Value + bLength && b.Value < a.Value + aLength;

    private static uint LargestPowerOfTwo(uint size) => size >= 8 ? 8u : size >= 4 ? 4u : size >= 2 ? 2u : 1u;

    // Both parts of a page-crossing access must be canonical before either is translated: the first page's fault must not come first.
    private bool IsCanonical(ulong address, uint inFirst, AccessKind kind, AccessMode mode, ExceptionVector nonCanonicalVector)
    {
        if (_mmu.IsCanonical(new LinearAddress(address), kind, mode) && _mmu.IsCanonical(new LinearAddress(NextPage(address, inFirst)), kind, mode))
            return true;
        return _faults.Raise(
            new TranslationFault { Failure = TranslationFailure.NonCanonical, Linear = new LinearAddress(address) }, nonCanonicalVector);
    }

    // Linear addresses of 32 bits wrap around.
    private ulong NextPage(ulong address, uint inFirst) => (address + inFirst) & ~_state->AbsentAddressBits;

    private bool Translate(ulong address, AccessKind kind, AccessMode mode, ExceptionVector nonCanonicalVector, out Translation translation)
    {
        if ((_deferral == Deferral.Replaying && TryReplay(address, kind, out translation))
            || _mmu.TryTranslate(new LinearAddress(address), kind, mode, out translation))
            return true;
        return RaiseFailure(nonCanonicalVector);
    }

    // Records why the translation asked for last failed.
    private bool RaiseFailure(ExceptionVector nonCanonicalVector)
    {
        // A non-canonical address never reaches the TLBs.
        if (_mmu.Fault.Failure == TranslationFailure.NonCanonical)
            _state->PendingLookups--;
        return _faults.Raise(_mmu.Fault, nonCanonicalVector);
    }
}
