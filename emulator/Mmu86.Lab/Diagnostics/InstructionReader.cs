using Iced.Intel;
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

    /// <summary>The bytes of an instruction and what they mean.</summary>
    /// <param name="rip">Its address.</param>
    /// <param name="instruction">The instruction; default where it cannot be fetched.</param>
    /// <param name="bytes">Its bytes; as many as can be fetched where they are no instruction. Empty where none can be.</param>
    public void Read(ulong rip, out Instruction instruction, out byte[] bytes)
    {
        bytes = Fetch(rip);
        instruction = default;
        if (bytes.Length == 0)
            return;
        Decoder decoder = Decoder.Create(64, bytes);
        decoder.IP = rip;
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

    private byte[] Fetch(ulong rip)
    {
        int first = (int)Math.Min(LongestInstruction, PageBytes - (rip & (PageBytes - 1)));
        byte[] bytes = new byte[LongestInstruction];
        if (!machine.TryPeek(new LinearAddress(rip), AccessKind.Fetch, bytes.AsSpan(0, first)))
            return [];
        bool hasRest = first < LongestInstruction && machine.TryPeek(new LinearAddress(unchecked(rip + (ulong)first)), AccessKind.Fetch, bytes.AsSpan(first));
        return hasRest ? bytes : bytes[..first];
    }
}
