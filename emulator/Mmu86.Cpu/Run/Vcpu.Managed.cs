using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <content>Instructions that managed code executes.</content>
public sealed unsafe partial class Vcpu
{
    private MicroOp* _managedOp;

    /// <summary>Runs the managed instruction of an op; see <see cref="SlowPath.ExecuteManaged"/>.</summary>
    internal bool ExecuteManaged(MicroOp* op)
    {
        MicroOpDetail* detail = _s->Details + (op - _s->Pool);
        Leaving.SetInstructionPointer(_s, *Cpu.Registers.Pointer(_s, CpuState.CodePageRegister) + detail->PageOffset);
        _s->Budget += detail->CountsBefore;
        _managedOp = op;
        Instruction* instruction = _code.Instruction(detail->InstructionIndex);
        ulong elements = Counters.RepIterations;
        ManagedOutcome outcome = ((delegate*<Vcpu, in Instruction, ManagedOutcome>)op->Immediate)(this, in *instruction);
        if (elements != Counters.RepIterations && _deadline != ulong.MaxValue)
            NoteEvents(); // elements take time that the chunk does not know of
        switch (outcome)
        {
            case ManagedOutcome.Next:
                Data.ManagedRetired();
                if (_s->Attention == 0)
                    return true;
                goto case ManagedOutcome.EndBlock;
            case ManagedOutcome.EndBlock:
                _s->Rip = (_s->Rip + (ulong)instruction->Length) & ~_s->AbsentAddressBits;
                goto case ManagedOutcome.Branch;
            case ManagedOutcome.Branch:
                Retire();
                _s->Leave = LeaveReason.Lookup;
                return false;
            case ManagedOutcome.Exit:
                _s->Rip = (_s->Rip + (ulong)instruction->Length) & ~_s->AbsentAddressBits;
                Retire();
                _s->Leave = LeaveReason.Exit;
                return false;
            case ManagedOutcome.Refused:
                Data.Faulted();
                InhibitsSingleStep = true;
                Breakpoints.Pending = 0;
                Counters.ExtraFetchLookups++;
                _s->Leave = LeaveReason.Exit;
                return false;
            case ManagedOutcome.Repeat:
                Data.ManagedRetired();
                _s->Scratch0 = (ulong)op;
                _s->Leave = LeaveReason.Repeat;
                return false;
            case ManagedOutcome.Refetch:
                Data.ManagedRetired();
                Counters.ExtraFetchLookups++;
                _s->Leave = LeaveReason.Lookup;
                return false;
            case ManagedOutcome.Fault:
                _s->Leave = LeaveReason.Fault;
                return false;
            default:
                throw new global::System.Diagnostics.UnreachableException();
        }
    }

    /// <summary>
    /// Whether the store just made hit the bytes of the managed instruction in progress. Where it did not, they are guarded again:
    /// a store to other code of their frame dropped the guard.
    /// </summary>
    internal bool OverwroteItself()
    {
        MicroOp* op = _managedOp;
        HostPhysicalAddress first = _code.AddressOf(op);
        uint inFirst = Math.Min(op->Length, 4096 - (uint)(first.Value & 0xFFF));
        if (Data.StoredInto(first, inFirst))
            return true;
        _code.Guard(first, inFirst);
        if (inFirst == op->Length || !_code.TryGetRestOf(op, out HostPhysicalAddress rest))
            return false;
        if (Data.StoredInto(rest, op->Length - inFirst))
            return true;
        _code.Guard(rest, op->Length - inFirst);
        return false;
    }

    private void Retire()
    {
        Data.ManagedRetired();
        _s->Budget += PackedCounts.Of(1, 0, 0, 0);
    }
}
