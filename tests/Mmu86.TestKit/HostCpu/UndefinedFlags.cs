using Iced.Intel;

namespace Mmu86.TestKit.HostCpu;

/// <summary>The table tests/data/undefined-flags.txt: which flags instructions leave undefined, and when.</summary>
public sealed class UndefinedFlags
{
    private static readonly Dictionary<string, ulong> Bits = new()
    {
        ["CF"] = 1 << 0,
        ["PF"] = 1 << 2,
        ["AF"] = 1 << 4,
        ["ZF"] = 1 << 6,
        ["SF"] = 1 << 7,
        ["OF"] = 1 << 11,
    };

    private readonly Dictionary<Mnemonic, List<Line>> _lines = [];

    private UndefinedFlags()
    {
    }

    private enum When
    {
        Always,
        CountIsOne,
        CountAboveOne,
        CountAtLeastWidth,
        CountAboveWidth,
        SourceIsZero,
    }

    /// <summary>Reads the table.</summary>
    /// <exception cref="FormatException">A line is wrong; the message quotes it.</exception>
    public static UndefinedFlags Parse(IEnumerable<string> lines)
    {
        UndefinedFlags table = new();
        foreach (string text in lines)
        {
            string line = text.Split('#')[0].Trim();
            if (line.Length == 0)
                continue;
            string[] columns = line.Split(';', StringSplitOptions.TrimEntries);
            if (columns.Length != 3)
                throw new FormatException($"Three columns expected: {text}");
            Line parsed = new(ParseWhen(columns[1], text), ParseWhat(columns[2], text));
            foreach (string name in columns[0].Split(' ', StringSplitOptions.RemoveEmptyEntries))
                table.Add(name, parsed, text);
        }

        return table;
    }

    /// <summary>What an instruction left undefined when it completed.</summary>
    /// <param name="instruction">The instruction.</param>
    /// <param name="before">The state before it.</param>
    /// <param name="flagsAfter">RFLAGS after it.</param>
    public UndefinedState After(in Instruction instruction, in InstructionCase before, ulong flagsAfter)
    {
        UndefinedState state = default;
        foreach (Line line in LinesOf(instruction))
        {
            if (Holds(line.When, instruction, (byte)before.Registers[1], flagsAfter))
                state = state.With(line.What);
        }

        return state;
    }

    /// <summary>All that an instruction can leave undefined, whatever the state before it. A count that is immediate is known.</summary>
    public UndefinedState AtWorst(in Instruction instruction)
    {
        bool isKnown = instruction.OpCount > 0 && instruction.GetOpKind(instruction.OpCount - 1) == OpKind.Immediate8;
        UndefinedState state = default;
        foreach (Line line in LinesOf(instruction))
        {
            if (!isKnown || line.When == When.SourceIsZero || Holds(line.When, instruction, 0, 0))
                state = state.With(line.What);
        }

        return state;
    }

    private static bool Holds(When when, in Instruction instruction, byte counter, ulong flagsAfter)
    {
        switch (when)
        {
            case When.Always:
                return true;
            // BSF and BSR say so themselves; the upper half is a matter of 32-bit operands alone.
            case When.SourceIsZero:
                return (flagsAfter & Bits["ZF"]) != 0 && instruction.Op0Register.GetSize() == 4;
        }

        int last = instruction.OpCount - 1;
        int width = 8 * (instruction.Op0Kind == OpKind.Register ? instruction.Op0Register.GetSize() : instruction.MemorySize.GetSize());
        int count = (instruction.GetOpKind(last) == OpKind.Immediate8 ? instruction.Immediate8 : counter) & (width == 64 ? 63 : 31);
        return when switch
        {
            When.CountIsOne => count == 1,
            When.CountAboveOne => count > 1,
            When.CountAtLeastWidth => count >= width,
            When.CountAboveWidth => count > width,
            _ => throw new ArgumentOutOfRangeException(nameof(when), when, "Not a condition on the count."),
        };
    }

    private List<Line> LinesOf(in Instruction instruction) => _lines.TryGetValue(instruction.Mnemonic, out List<Line>? lines) ? lines : [];

    private static When ParseWhen(string text, string line) => text switch
    {
        "always" => When.Always,
        "count=1" => When.CountIsOne,
        "count>1" => When.CountAboveOne,
        "count>=width" => When.CountAtLeastWidth,
        "count>width" => When.CountAboveWidth,
        "source=0" => When.SourceIsZero,
        _ => throw new FormatException($"Unknown condition '{text}': {line}"),
    };

    private static UndefinedState ParseWhat(string text, string line)
    {
        ulong flags = 0;
        UndefinedDestination destination = UndefinedDestination.None;
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (Bits.TryGetValue(word, out ulong bit))
                flags |= bit;
            else if (word == "DEST")
                destination = UndefinedDestination.All;
            else if (word == "UPPER")
                destination = UndefinedDestination.UpperHalf;
            else
                throw new FormatException($"Unknown word '{word}': {line}");
        }

        return new UndefinedState(flags, destination);
    }

    private void Add(string name, Line parsed, string line)
    {
        if (!Enum.TryParse(name, ignoreCase: true, out Mnemonic mnemonic))
            throw new FormatException($"Unknown mnemonic '{name}': {line}");
        if (!_lines.TryGetValue(mnemonic, out List<Line>? lines))
            _lines.Add(mnemonic, lines = []);
        lines.Add(parsed);
    }

    private readonly record struct Line(When When, UndefinedState What);
}
