using Iced.Intel;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Says where two subjects differ, leaving out what the manual leaves undefined.</summary>
public sealed class CaseComparer
{
    // Status flags, DF, IF, IOPL, NT, AC, ID. Not TF and not RF, which faults set in the saved image.
    private const ulong ComparedFlags = 0x24_7ED5;
    private const ulong DivideErrorVector = 0;

    private readonly UndefinedFlags _undefined;

    /// <summary>Makes a comparer.</summary>
    public CaseComparer(UndefinedFlags undefined) => _undefined = undefined;

    /// <summary>Compares two results of one case.</summary>
    /// <returns>The differences, empty where there are none.</returns>
    public IReadOnlyList<string> Compare(in InstructionCase test, in SubjectResult expected, in SubjectResult actual)
    {
        // The usual case, and a quick one.
        if (AreEqual(expected, actual))
            return [];

        List<string> differences = [];
        UndefinedState undefined = Undefined(test, expected, out Register destination);
        bool endsAlike = expected.Vector == actual.Vector && expected.ErrorCode == actual.ErrorCode && expected.FaultAddress == actual.FaultAddress;
        if (!endsAlike && !MayFaultAtEitherOperand(test, expected, actual))
            differences.Add($"ended by {CaseText.Ending(expected)}, not by {CaseText.Ending(actual)}");
        if (expected.Rip != actual.Rip)
            differences.Add($"RIP {expected.Rip:x}, not {actual.Rip:x}");
        bool isIdle = IsIdleRepetition(test, expected);
        CompareFlags(differences, expected.Flags, actual.Flags, ComparedFlags & ~undefined.Flags);
        for (int i = 0; i < 16; i++)
            CompareRegister(differences, Register.RAX + i, expected.Registers[i], actual.Registers[i],
                isIdle && i is 1 or 6 or 7 ? UndefinedDestination.UpperHalf
                : destination == Register.RAX + i ? undefined.Destination : UndefinedDestination.None);
        if (expected.FsBase != actual.FsBase)
            differences.Add($"FS base {expected.FsBase:x}, not {actual.FsBase:x}");
        if (expected.GsBase != actual.GsBase)
            differences.Add($"GS base {expected.GsBase:x}, not {actual.GsBase:x}");
        if (undefined.Destination != UndefinedDestination.All || destination != Register.None)
            CompareMemory(differences, test, expected, actual);
        return differences;
    }

    private static bool AreEqual(in SubjectResult expected, in SubjectResult actual) =>
        ((ReadOnlySpan<ulong>)expected.Registers).SequenceEqual(actual.Registers)
        && ((expected.Flags ^ actual.Flags) & ComparedFlags) == 0
        && expected.Rip == actual.Rip
        && expected.Vector == actual.Vector
        && expected.ErrorCode == actual.ErrorCode
        && expected.FaultAddress == actual.FaultAddress
        && expected.FsBase == actual.FsBase
        && expected.GsBase == actual.GsBase
        && expected.StraySum == actual.StraySum
        && ((ReadOnlySpan<byte>)expected.Window).SequenceEqual(actual.Window);

    // A fault leaves the state as it was before the instruction, and nothing undefined; the divide error is the exception.
    private UndefinedState Undefined(in InstructionCase test, in SubjectResult expected, out Register destination)
    {
        Instruction[] instructions = CaseText.Decode(test);
        destination = Register.None;
        if (instructions.Length == 1)
        {
            destination = instructions[0].Op0Kind == OpKind.Register ? instructions[0].Op0Register.GetFullRegister() : Register.None;
            if (expected.Rip == test.EntryPoint && IsRepeatedComparison(instructions[0]))
                return new UndefinedState((ulong)X86.RFlags.Status, UndefinedDestination.None);

            // Gone on to something else, even if that could not be fetched.
            return expected.Rip != test.EntryPoint || expected.Vector == DivideErrorVector
                ? _undefined.After(instructions[0], test, expected.Flags)
                : default;
        }

        UndefinedState undefined = default;
        foreach (Instruction instruction in instructions)
            undefined = undefined.With(_undefined.AtWorst(instruction) with { Destination = UndefinedDestination.None });
        return undefined;
    }

    // Which of its two operands CMPS reads first is not specified, and processors differ: the fault may be the one's or the other's.
    private static bool MayFaultAtEitherOperand(in InstructionCase test, in SubjectResult expected, in SubjectResult actual)
    {
        ulong at = expected.Rip;
        return at == actual.Rip && IsMemoryFault(expected.Vector) && IsMemoryFault(actual.Vector)
            && CaseText.Decode(test).Any(instruction => instruction.IP == at && IsCompare(instruction));
    }

    private static bool IsMemoryFault(ulong vector) =>
        vector is (ulong)X86.ExceptionVector.StackFault or (ulong)X86.ExceptionVector.GeneralProtection or (ulong)X86.ExceptionVector.PageFault;

    private static bool IsCompare(in Instruction instruction) =>
        instruction.IsStringInstruction && instruction.Mnemonic is Mnemonic.Cmpsb or Mnemonic.Cmpsw or Mnemonic.Cmpsd or Mnemonic.Cmpsq;

    // Intel's manual has a fault restore the flags, AMD's processors keep those of the last element.
    private static bool IsRepeatedComparison(in Instruction instruction) =>
        (instruction.HasRepPrefix || instruction.HasRepnePrefix) && instruction.IsStringInstruction
        && (IsCompare(instruction) || instruction.Mnemonic is Mnemonic.Scasb or Mnemonic.Scasw or Mnemonic.Scasd or Mnemonic.Scasq);

    // A repetition of 32-bit addresses that does nothing, for its count is 0 or its first element faults: some processors clear the upper
    // halves of its registers, others do not.
    private static bool IsIdleRepetition(in InstructionCase test, in SubjectResult expected)
    {
        uint count = (uint)test.Registers[1];
        Instruction[] instructions = CaseText.Decode(test);
        return instructions.Any(instruction => (instruction.HasRepPrefix || instruction.HasRepnePrefix)
            && (IsNarrow(instruction.Op0Kind) || IsNarrow(instruction.Op1Kind)))
            && (instructions.Length > 1 || count == 0 || count == (uint)expected.Registers[1]);
    }

    private static bool IsNarrow(OpKind kind) => kind is OpKind.MemorySegESI or OpKind.MemoryESEDI;

    private static void CompareFlags(List<string> differences, ulong expected, ulong actual, ulong mask)
    {
        if (((expected ^ actual) & mask) != 0)
            differences.Add($"flags {CaseText.Flags(expected & mask)}, not {CaseText.Flags(actual & mask)}");
    }

    private static void CompareRegister(List<string> differences, Register register, ulong expected, ulong actual, UndefinedDestination undefined)
    {
        ulong mask = undefined switch
        {
            UndefinedDestination.None => ulong.MaxValue,
            UndefinedDestination.UpperHalf => uint.MaxValue,
            _ => 0,
        };
        if (((expected ^ actual) & mask) != 0)
            differences.Add($"{register} {expected:x}, not {actual:x}");
    }

    private static void CompareMemory(List<string> differences, in InstructionCase test, in SubjectResult expected, in SubjectResult actual)
    {
        ReadOnlySpan<byte> wanted = expected.Window;
        ReadOnlySpan<byte> got = actual.Window;
        int first = wanted.CommonPrefixLength(got);
        if (first < wanted.Length)
        {
            int length = Math.Min(16, wanted.Length - first);
            differences.Add($"memory from {test.WindowAddress + (ulong)first:x}: {Convert.ToHexStringLower(wanted.Slice(first, length))}, not {Convert.ToHexStringLower(got.Slice(first, length))}");
        }

        if (expected.StraySum != actual.StraySum)
            differences.Add("memory outside the window");
    }
}
