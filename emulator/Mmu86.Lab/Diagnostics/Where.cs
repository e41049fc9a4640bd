using System.Globalization;

namespace Mmu86.Lab.Diagnostics;

/// <summary>A moment of a run: <c>entry</c>, <c>#N</c> (before instruction N, counted from 0), or the first time that an address is about to run.</summary>
public sealed class Where
{
    private Where(string text, ulong? instruction, AddressExpression? address)
    {
        Text = text;
        Instruction = instruction;
        Address = address;
    }

    /// <summary>As it was written.</summary>
    public string Text { get; }

    /// <summary>The number of instructions that have retired at that moment: 0 for <c>entry</c>. Null where <see cref="Address"/> says it.</summary>
    public ulong? Instruction { get; }

    /// <summary>The address that is about to run; names mean what they mean at the program's entry. Null where <see cref="Instruction"/> says it.</summary>
    public AddressExpression? Address { get; }

    /// <summary>Reads a moment.</summary>
    /// <param name="text">What was written.</param>
    /// <param name="problem">Where the result is null: why, in words.</param>
    /// <returns>Null where it is none.</returns>
    public static Where? Parse(string text, out string problem)
    {
        problem = "";
        if (text == "entry")
            return new Where(text, 0, null);
        if (text.StartsWith('#'))
        {
            if (ulong.TryParse(text.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture, out ulong instruction))
                return new Where(text, instruction, null);
            problem = $"'{text}' is not the number of an instruction, such as #1000";
            return null;
        }

        return AddressExpression.Parse(text, out problem) is { } address ? new Where(text, null, address) : null;
    }

    /// <inheritdoc/>
    public override string ToString() => Text;
}
