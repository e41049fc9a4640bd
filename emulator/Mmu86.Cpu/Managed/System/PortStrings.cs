using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>INS and OUTS with and without REP. They end the block: a device may ask for the run to stop.</summary>
/// <remarks>
/// Elements that were moved before a fault count, as those of the other string instructions: their effects stay and the
/// instruction goes on behind them.
/// </remarks>
internal static unsafe class PortStrings
{
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
        bool is32Bit = Is32BitAddress(instruction);
        if (!PortAccess.TryCheck(vcpu, (ushort)vcpu.Registers.Rdx, size))
            return ManagedOutcome.Fault;
        int left = (vcpu.Registers.Flags & RFlags.Trap) != 0 ? 1 : MostElements;
        while (!isRepeated || Count(vcpu, is32Bit) != 0)
        {
            if (!TryMove(vcpu, instruction, element, size, is32Bit))
                return ManagedOutcome.Fault;
            if (!isRepeated)
                break;
            SetCount(vcpu, is32Bit, Count(vcpu, is32Bit) - 1);
            vcpu.Data.ManagedRetired();
            vcpu.Counters.RepIterations++;
            bool isEnd = Count(vcpu, is32Bit) == 0;
            if (!isEnd && element == Element.In && vcpu.State->Attention != 0 && vcpu.OverwroteItself())
                return ManagedOutcome.Refetch;
            if (!isEnd && (--left == 0 || vcpu.IsStopRequested))
                return ManagedOutcome.Repeat;
        }

        return ManagedOutcome.EndBlock;
    }

    private static bool TryMove(Vcpu vcpu, in Instruction instruction, Element element, int size, bool is32Bit)
    {
        var port = (ushort)vcpu.Registers.Rdx;
        Register pointer = element == Element.In ? Register.RDI : Register.RSI;
        ulong offset = vcpu.Registers.Read(pointer);
        if (is32Bit)
            offset = (uint)offset;
        if (element == Element.Out)
        {
            if (!Operands.TryLoad(vcpu, offset + Operands.PrefixedBase(vcpu, instruction), size, isStack: false, out ulong value))
                return false;
            vcpu.Bus.Ports.Write(port, (uint)value, size);
        }
        else if (!TryIn(vcpu, port, offset, size))
        {
            return false;
        }

        bool isDown = (vcpu.Registers.Flags & RFlags.Direction) != 0;
        ulong next = isDown ? offset - (ulong)size : offset + (ulong)size;
        vcpu.Registers.Write(pointer, is32Bit ? (uint)next : next);
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

    private static bool Is32BitAddress(in Instruction instruction) =>
        instruction.Op0Kind is OpKind.MemoryESEDI || instruction.Op1Kind is OpKind.MemorySegESI;

    private static ulong Count(Vcpu vcpu, bool is32Bit) => is32Bit ? (uint)vcpu.Registers.Rcx : vcpu.Registers.Rcx;

    private static void SetCount(Vcpu vcpu, bool is32Bit, ulong value) => vcpu.Registers.Rcx = is32Bit ? (uint)value : value;
}
