using System.Text;
using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Cases in words, for people who read a failing test.</summary>
public static class CaseText
{
    private static readonly (ulong Bit, string Name)[] FlagNames =
    [
        (1 << 0, "CF"), (1 << 2, "PF"), (1 << 4, "AF"), (1 << 6, "ZF"), (1 << 7, "SF"), (1 << 9, "IF"), (1 << 10, "DF"),
        (1 << 11, "OF"), (3 << 12, "IOPL"), (1 << 14, "NT"), (1 << 18, "AC"), (1 << 21, "ID"),
    ];

    /// <summary>The instructions of a case. What cannot be decoded is one instruction whose code is INVALID.</summary>
    public static Instruction[] Decode(in InstructionCase test)
    {
        List<Instruction> instructions = [];
        var decoder = Iced.Intel.Decoder.Create(test.CodeBits, new ByteArrayCodeReader(test.CodeBytes.ToArray()), test.EntryPoint);
        while (decoder.IP < test.EntryPoint + test.CodeLength)
        {
            instructions.Add(decoder.Decode());
            if (instructions[^1].IsInvalid)
                break;
        }

        return [.. instructions];
    }

    /// <summary>How a case ended.</summary>
    public static string Ending(in SubjectResult result)
    {
        if (result.Vector == SubjectResult.Completed)
            return "completion";
        string vector = ((ExceptionVector)result.Vector).Mnemonic();
        return result.FaultAddress == 0 ? $"{vector}({result.ErrorCode:x})" : $"{vector}({result.ErrorCode:x}) at {result.FaultAddress:x}";
    }

    /// <summary>The names of the flags that are set.</summary>
    public static string Flags(ulong flags)
    {
        string text = string.Join(' ', FlagNames.Where(flag => (flags & flag.Bit) != 0).Select(flag => flag.Name));
        return text.Length == 0 ? "none" : text;
    }

    /// <summary>The code and what it started from.</summary>
    public static string Describe(in InstructionCase test)
    {
        StringBuilder text = new();
        text.Append($"{test.CodeAddress:x}: {Convert.ToHexStringLower(test.CodeBytes)}  ");
        text.AppendJoin("; ", Decode(test).Select(instruction => instruction.IsInvalid ? "(bad)" : instruction.ToString()));
        text.AppendLine();
        text.Append("    before:");
        for (int i = 0; i < 16; i++)
            text.Append($" {Register.RAX + i}={test.Registers[i]:x}");
        text.Append($" FS={test.FsBase:x} GS={test.GsBase:x} flags {Flags(test.Flags)}, window at {test.WindowAddress:x}");
        if (test.IsNarrow)
            text.Append($", CS={test.Selectors[0]:x} DS={test.Selectors[1]:x} ES={test.Selectors[2]:x} SS={test.Selectors[3]:x} FS={test.Selectors[4]:x} GS={test.Selectors[5]:x}");
        return text.ToString();
    }
}
