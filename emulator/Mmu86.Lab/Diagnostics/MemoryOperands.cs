using Iced.Intel;
using Mmu86.Cpu;

namespace Mmu86.Lab.Diagnostics;

/// <summary>Which bytes an instruction will access, as far as its operands and the registers before it say.</summary>
internal sealed class MemoryOperands
{
    private readonly InstructionInfoFactory _factory = new();
    private readonly List<(ulong Address, int Size)> _ranges = [];
    private ulong _rip;
    private int _elementSize;

    /// <summary>Notes the operands of an instruction that is about to run.</summary>
    /// <param name="rip">Its linear address.</param>
    /// <param name="instruction">The instruction.</param>
    /// <param name="vcpu">The processor before it.</param>
    public void Note(ulong rip, in Instruction instruction, Vcpu vcpu)
    {
        _ranges.Clear();
        _rip = rip;
        _elementSize = 0;
        if (instruction.IsInvalid || instruction.Length == 0)
            return;
        if (instruction.IsStringInstruction)
        {
            // Every element has the size; where it lies changes from element to element.
            _elementSize = instruction.MemorySize.GetSize();
            return;
        }

        foreach (UsedMemory memory in _factory.GetInfo(instruction).GetUsedMemory())
        {
            int size = memory.MemorySize.GetSize();
            if (size > 0 && memory.TryGetVirtualAddress(0, out ulong address, (Register register, int _, int _, out ulong value) => TryRead(vcpu, register, out value)))
                _ranges.Add((vcpu.Mode == ProcessorMode.Long64 ? address : (uint)address, size));
        }
    }

    /// <summary>How many bytes of the page at an address the instruction accesses there.</summary>
    /// <param name="rip">The instruction that made the access.</param>
    /// <param name="address">Where the translation was asked for.</param>
    /// <returns>Null where it is not known: accesses of event delivery and of descriptors.</returns>
    public int? SizeAt(ulong rip, ulong address)
    {
        if (rip != _rip)
            return null;
        if (_elementSize > 0)
            return _elementSize;
        foreach ((ulong start, int size) in _ranges)
        {
            ulong offset = unchecked(address - start);
            if (offset < (ulong)size)
                return (int)Math.Min((ulong)size - offset, 4096 - (address & 0xFFF));
        }

        return null;
    }

    private static bool TryRead(Vcpu vcpu, Register register, out ulong value)
    {
        RegisterFile registers = vcpu.Registers;
        switch (register)
        {
            case Register.FS:
                value = registers.FsBase;
                return true;
            case Register.GS:
                value = registers.GsBase;
                return true;
            case Register.ES or Register.CS or Register.SS or Register.DS:
                value = vcpu.Mode == ProcessorMode.Long64 ? 0 : Base(vcpu.System, register);
                return true;
            default:
                bool isGeneral = register.IsGPR();
                value = isGeneral ? registers.Read(register) : 0;
                return isGeneral;
        }
    }

    private static ulong Base(SystemState system, Register register) => register switch
    {
        Register.ES => system.Es.Base,
        Register.CS => system.Cs.Base,
        Register.SS => system.Ss.Base,
        _ => system.Ds.Base,
    };
}
