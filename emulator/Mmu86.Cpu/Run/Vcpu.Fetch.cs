using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <content>From RIP to the op that stands for it.</content>
public sealed unsafe partial class Vcpu
{
    private const ulong LongestInstruction = 15;

    // Fetch lookups made so far, the one of the instruction about to run included.
    private ulong FetchLookupsNow => RetiredNow + Counters.ExtraFetchLookups + _s->CrossPageFetches + 1;

    // The op at RIP, or null where the fetch faulted.
    private MicroOp* FindOp(BlockKind kind)
    {
        if (!IsWithinCodeLimit(1))
            return null;
        ulong linear = LinearInstructionPointer;
        var page = new LinearAddress(linear & ~0xFFFUL);
        if (!Mmu.TryTranslate(new LinearAddress(linear), AccessKind.Fetch, FetchMode, out Translation translation))
        {
            CountFailedFetch();
            Faults.Raise(Mmu.Fault, ExceptionVector.GeneralProtection);
            return null;
        }

        *Cpu.Registers.Pointer(_s, CpuState.CodePageRegister) = page.Value;
        if (!HoldsCode(translation))
            return _code.NotRam(linear);
        var form = new BlockForm(kind, _mode);
        uint* entries = _code.Page(translation.Address.Frame, form);
        if (kind == BlockKind.Chained)
        {
            Mmu.EnterCodePage(page, FetchLookupsNow);
            Mmu.OfferFetch(page, FetchMode, (nint)entries);
        }

        uint entry = entries[linear & 0xFFF];
        MicroOp* op = entry != 0 ? _s->Pool + entry : _code.Build(translation.Address, form);
        if (!IsWithinCodeLimit(op != null ? op->Length : 0x1001 - (linear & 0xFFF)))
        {
            Counters.ExtraFetchLookups++;
            return null;
        }

        if (op != null)
            return Begun(op, kind);
        op = BuildCrossing(translation.Address, form);
        if (op == null || IsWithinCodeLimit(op->Length))
            return Begun(op, kind);
        Counters.ExtraFetchLookups++;
        return null;
    }

    // Who keeps time is told of every instruction; its MMU is one that has every fetch looked up, so no block is longer.
    private MicroOp* Begun(MicroOp* op, BlockKind kind)
    {
        if (kind == BlockKind.SingleStep && op != null && _configuration.Timing is { } timing)
            timing.Begin(*_code.Facts(op));
        return op;
    }

    private ulong LinearInstructionPointer => (_s->CodeBase + _s->Rip) & ~_s->AbsentAddressBits;

    // Whether an instruction of this page might reach past the limit of CS: such code is fetched one by one. Never in 64-bit mode.
    private bool IsNearCodeLimit => IsPageNearCodeLimit(0);

    private bool IsPageNearCodeLimit(ulong distance) => _s->CodeLimit != ulong.MaxValue
        && _s->Rip + (0xFFF - (LinearInstructionPointer & 0xFFF)) + distance + LongestInstruction > _s->CodeLimit;

    // Whether the bytes of an instruction are inside CS; #GP(0) where they are not. SDM 3, "Limit Checking".
    private bool IsWithinCodeLimit(ulong length) =>
        _s->Rip + length - 1 <= _s->CodeLimit || Faults.Raise(ExceptionVector.GeneralProtection, 0);

    /// <summary>The instruction whose data access the MMU is being asked about; that of the last one where it is asked by nobody's. An offset in CS.</summary>
    public LinearAddress AccessingInstruction => _s->SlowOp == null
        ? new LinearAddress(_s->Rip)
        : new LinearAddress(*Cpu.Registers.Pointer(_s, CpuState.CodePageRegister) + _s->Details[_s->SlowOp - _s->Pool].PageOffset);

    private AccessMode FetchMode => System.Cpl == 3 ? AccessMode.User : AccessMode.Supervisor;

    /// <summary>The second fetch of a page-crossing instruction whose block is there.</summary>
    internal MicroOp* CrossPage(MicroOp* op)
    {
        Leaving.SetInstructionPointer(_s, *Cpu.Registers.Pointer(_s, CpuState.CodePageRegister) + _s->Details[op - _s->Pool].PageOffset);
        if (!TryTranslateSecondPage(out Translation second))
        {
            _s->Leave = LeaveReason.Fault;
            return null;
        }

        CrossingKey key = _code.CrossingOf(op);
        if (HoldsCode(second) && (ulong)_code.Page(second.Address.Frame, key.Form) == op->Immediate)
            return op + 1;
        return _code.BuildCrossing(key.First, second, key.Form) + 1;
    }

    // The instruction at RIP needs bytes of the next page. Null where that fetch faulted.
    private MicroOp* BuildCrossing(HostPhysicalAddress first, BlockForm form)
    {
        if (!TryTranslateSecondPage(out Translation second))
        {
            Counters.ExtraFetchLookups++;
            return null;
        }

        return _code.BuildCrossing(first, second, form) + 1;
    }

    private bool HoldsCode(in Translation page) => page.IsRam || _code.IsRom(page.Address);

    // A non-canonical address never reaches the TLBs.
    private void CountFailedFetch()
    {
        if (Mmu.Fault.Failure != TranslationFailure.NonCanonical)
            Counters.ExtraFetchLookups++;
    }

    private bool TryTranslateSecondPage(out Translation second)
    {
        LinearAddress address = new(((LinearInstructionPointer & ~0xFFFUL) + 0x1000) & ~_s->AbsentAddressBits);
        if (!Mmu.TryTranslate(address, AccessKind.Fetch, FetchMode, out second))
        {
            CountFailedFetch();
            return Faults.Raise(Mmu.Fault, ExceptionVector.GeneralProtection);
        }

        Counters.ExtraFetchLookups++;
        if (HoldsCode(second) && Mmu.FetchesAreSilent && !IsPageNearCodeLimit(0x1000))
        {
            Mmu.EnterCodePage(address, FetchLookupsNow);
            Mmu.OfferFetch(address, FetchMode, (nint)_code.Page(second.Address.Frame, new BlockForm(BlockKind.Chained, _mode)));
        }

        return true;
    }
}
