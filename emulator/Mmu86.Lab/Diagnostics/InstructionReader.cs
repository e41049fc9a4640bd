using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.Lab.Running;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Diagnostics;

/// <summary>Reads and decodes instructions of a guest without disturbing it.</summary>
internal sealed class InstructionReader(GuestMachine machine)
{
    private const int LongestInstruction = 15;
    private const ulong PageBytes = 4096;

    private readonly NasmFormatter _formatter = new(new FormatterOptions
    {
        HexPrefix = "0x",
        HexSuffix = "",
        UppercaseHex = false,
        BranchLeadingZeros = false,
        SpaceAfterOperandSeparator = true,
    });

    /// <summary>The linear address of the instruction that comes next.</summary>
    public ulong Next => ToLinear(machine.Vcpu.Registers.Rip);

    /// <summary>The bytes of an instruction and what they mean in the mode that is in force.</summary>
    /// <param name="address">Its linear address.</param>
    /// <param name="instruction">The instruction; default where it cannot be fetched. Its IP is the offset in CS.</param>
    /// <param name="bytes">Its bytes; as many as can be fetched where they are no instruction. Empty where none can be.</param>
    public void Read(ulong address, out Instruction instruction, out byte[] bytes)
    {
        bytes = Fetch(address);
        instruction = default;
        if (bytes.Length == 0)
            return;
        Decoder decoder = Decoder.Create(machine.Vcpu.CodeBits, bytes);
        decoder.IP = ToOffset(address);
        instruction = decoder.Decode();
        if (!instruction.IsInvalid)
            bytes = bytes[..instruction.Length];
    }

    /// <summary>The instruction as the disassembler writes it.</summary>
    public string Format(in Instruction instruction)
    {
        if (instruction.IsInvalid)
            return "(bad)";
        var output = new StringOutput();
        _formatter.Format(instruction, output);
        return output.ToString();
    }

    // CS begins at 0 in 64-bit mode; elsewhere linear addresses have 32 bits.
    private ulong ToLinear(ulong offset) => machine.Vcpu.Mode == ProcessorMode.Long64 ? offset : (uint)(offset + machine.Vcpu.System.Cs.Base);

    private ulong ToOffset(ulong address) => machine.Vcpu.Mode == ProcessorMode.Long64 ? address : (uint)(address - machine.Vcpu.System.Cs.Base);

    private byte[] Fetch(ulong address)
    {
        int first = (int)Math.Min(LongestInstruction, PageBytes - (address & (PageBytes - 1)));
        byte[] bytes = new byte[LongestInstruction];
        if (!machine.TryPeek(new LinearAddress(address), AccessKind.Fetch, bytes.AsSpan(0, first)))
            return [];
        bool hasRest = first < LongestInstruction && machine.TryPeek(new LinearAddress(unchecked(address + (ulong)first)), AccessKind.Fetch, bytes.AsSpan(first));
        return hasRest ? bytes : bytes[..first];
    }
}
