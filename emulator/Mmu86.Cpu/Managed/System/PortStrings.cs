using Iced.Intel;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>INS and OUTS with and without REP. They end the block: a device may ask for the run to stop.</summary>
/// <remarks>
/// Elements that were moved before a fault count, as those of the other string instructions: their effects stay and the
/// instruction goes on behind them.
/// </remarks>
internal static unsafe class PortStrings
{
    private const byte Rcx = 1 * 8;
    private const byte Rsi = 6 * 8;
    private const byte Rdi = 7 * 8;

    // Elements of one invocation: run control stays responsive.
    private const int MostElements = 4096;

    /// <summary>INS.</summary>
    public static ManagedOutcome In(Vcpu vcpu, in Instruction instruction) => Repeat(vcpu, instruction, Element.In);

    /// <summary>OUTS.</summary>
    public static ManagedOutcome Out(Vcpu vcpu, in Instruction instruction) => Repeat(vcpu, instruction, Element.Out);

    private enum Element
    {
        In,
        Out,
    }

    private static ManagedOutcome Repeat(Vcpu vcpu, in Instruction instruction, Element element)
    {
        int size = instruction.MemorySize.GetSize();
        bool isRepeated = instruction.HasRepPrefix || instruction.HasRepnePrefix;
        ulong mask = StringAddress.Mask(instruction);
        if (!PortAccess.TryCheck(vcpu, (ushort)vcpu.Registers.Rdx, size))
            return ManagedOutcome.Fault;
        int left = vcpu.TrapsBetweenElements ? 1 : (int)Math.Min(MostElements, vcpu.ElementsUntilDeadline);
        while (!isRepeated || (vcpu.Registers.Rcx & mask) != 0)
        {
            if (!TryMove(vcpu, instruction, element, size, mask))
                return ManagedOutcome.Fault;
            if (!isRepeated)
                break;
            StringAddress.Save(vcpu.State, Rcx, mask, vcpu.Registers.Rcx - 1);
            vcpu.Data.ManagedRetired();
            vcpu.Counters.RepIterations++;
            bool isEnd = (vcpu.Registers.Rcx & mask) == 0;
            if (!isEnd && element == Element.In && vcpu.State->Attention != 0 && vcpu.OverwroteItself())
                return ManagedOutcome.Refetch;
            if (!isEnd && (--left == 0 || vcpu.IsLeaveRequested))
                return ManagedOutcome.Repeat;
        }

        return ManagedOutcome.EndBlock;
    }

    private static bool TryMove(Vcpu vcpu, in Instruction instruction, Element element, int size, ulong mask)
    {
        var port = (ushort)vcpu.Registers.Rdx;
        byte pointer = element == Element.In ? Rdi : Rsi;
        ulong offset = Registers.Read(vcpu.State, pointer) & mask;
        if (element == Element.Out)
        {
            Register segment = Operands.PrefixedSegment(instruction);
            ulong address = Operands.Address(vcpu, segment, offset, size, AccessKind.Read);
            if (!Operands.TryLoad(vcpu, address, size, segment == Register.SS && mask != ulong.MaxValue, out ulong value))
                return false;
            vcpu.Bus.Ports.Write(port, (uint)value, size);
        }
        else if (!TryIn(vcpu, port, Operands.Address(vcpu, Register.ES, offset, size, AccessKind.Write), size))
        {
            return false;
        }

        vcpu.Breakpoints.PortAccessed(port, (uint)size);
        bool isDown = (vcpu.Registers.Flags & RFlags.Direction) != 0;
        ulong next = isDown ? offset - (ulong)size : offset + (ulong)size;
        StringAddress.Save(vcpu.State, pointer, mask, next);
        return true;
    }

    // A device forgets what was read from it, so the store must be known to succeed before.
    private static bool TryIn(Vcpu vcpu, ushort port, ulong address, int size)
    {
        if (!vcpu.Data.TryPrepareStore(address, size))
            return false;
        vcpu.Data.CompleteStore(vcpu.Bus.Ports.Read(port, size), size);
        return true;
    }
}
