using System.Globalization;
using Mmu86.Lab.Configuration;

namespace Mmu86.Lab.Diagnostics;

/// <summary>An address as a person writes it: hex, decimal, a register or a symbol, with <c>+</c> or <c>-</c> offsets: <c>rsp+0x10</c>.</summary>
/// <remarks>Hex begins with <c>0x</c>; the <c>L:</c> that reports print in front of linear addresses may stay. Sums wrap around at 64 bits, as the processor's do.</remarks>
public sealed class AddressExpression
{
    private readonly Term[] _terms;

    private AddressExpression(string text, Term[] terms)
    {
        Text = text;
        _terms = terms;
    }

    /// <summary>As it was written.</summary>
    public string Text { get; }

    /// <summary>Reads an expression; names are looked up later.</summary>
    /// <param name="text">What was written.</param>
    /// <param name="problem">Where the result is null: why, in words.</param>
    /// <returns>Null where it is none.</returns>
    public static AddressExpression? Parse(string text, out string problem)
    {
        problem = "";
        string rest = text.StartsWith("L:", StringComparison.Ordinal) ? text[2..] : text;
        List<Term> terms = [];
        bool isNegative = false;
        while (true)
        {
            int end = rest.AsSpan().IndexOfAny('+', '-');
            string word = (end < 0 ? rest : rest[..end]).Trim();
            if (!TryReadTerm(word, isNegative, out Term term, out problem))
                return null;
            terms.Add(term);
            if (end < 0)
                return new AddressExpression(text, [.. terms]);
            isNegative = rest[end] == '-';
            rest = rest[(end + 1)..];
        }
    }

    /// <summary>The address that the expression means now.</summary>
    /// <param name="names">Registers and symbols.</param>
    /// <param name="address">The address.</param>
    /// <param name="problem">Where the result is false: which name is not there.</param>
    public bool TryEvaluate(IAddressNames names, out ulong address, out string problem)
    {
        address = 0;
        problem = "";
        foreach (Term term in _terms)
        {
            ulong value = term.Value;
            if (term.Name is string name && !names.TryGetRegister(name.ToLowerInvariant(), out value) && !names.TryGetSymbol(name, out value))
            {
                problem = $"there is no register or symbol '{name}'{Suggestion.Ending(name, names.Registers.Append("entry"))}";
                return false;
            }

            address = unchecked(term.IsNegative ? address - value : address + value);
        }

        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => Text;

    private static bool TryReadTerm(string word, bool isNegative, out Term term, out string problem)
    {
        term = default;
        problem = "";
        if (word.Length == 0)
        {
            problem = "an address, a register or a symbol is missing";
            return false;
        }

        if (!char.IsAsciiDigit(word[0]))
        {
            term = new Term(word, 0, isNegative);
            return true;
        }

        bool isHex = word.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        ReadOnlySpan<char> digits = isHex ? word.AsSpan(2) : word;
        NumberStyles style = isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None;
        if (ulong.TryParse(digits, style, CultureInfo.InvariantCulture, out ulong value))
        {
            term = new Term(null, value, isNegative);
            return true;
        }

        problem = !isHex && word.All(char.IsAsciiHexDigit)
            ? $"'{word}' is not a decimal number; hex begins with 0x: '0x{word}'"
            : $"'{word}' is not a 64-bit number";
        return false;
    }

    private readonly record struct Term(string? Name, ulong Value, bool IsNegative);
}
