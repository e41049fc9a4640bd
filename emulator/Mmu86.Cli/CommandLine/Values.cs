using System.Globalization;
using Mmu86.Lab.Configuration;

namespace Mmu86.Cli.CommandLine;

/// <summary>Reads the values of options, and says what they should look like where they do not.</summary>
internal static class Values
{
    /// <summary>A size in bytes: <c>4096</c>, <c>64M</c>, <c>1G</c>. K, M, G and T are powers of 1024.</summary>
    /// <exception cref="UserErrorException">Status 64.</exception>
    public static ulong Size(string option, string text)
    {
        int shift = text.Length == 0 ? 0 : char.ToUpperInvariant(text[^1]) switch
        {
            'K' => 10,
            'M' => 20,
            'G' => 30,
            'T' => 40,
            _ => 0,
        };
        string digits = shift == 0 ? text : text[..^1];
        if (!ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value) || value > ulong.MaxValue >> shift)
            throw UserErrorException.Usage($"{option}: '{text}' is not a size; sizes look like 64M or 1G");
        return value << shift;
    }

    /// <summary>A size of memory: whole pages, within bounds.</summary>
    /// <exception cref="UserErrorException">Status 64.</exception>
    public static ulong MemorySize(string option, string text, ulong least, ulong most)
    {
        ulong size = Size(option, text);
        if (size < least || size > most || size % 4096 != 0)
            throw UserErrorException.Usage($"{option}: '{text}' must be a multiple of 4K from {least >> 20}M to {most >> 40}T");
        return size;
    }

    /// <summary>A virtual time in nanoseconds: <c>500000</c>, <c>500us</c>, <c>20ms</c>, <c>1s</c>.</summary>
    /// <exception cref="UserErrorException">Status 64.</exception>
    public static ulong VirtualTime(string option, string text)
    {
        int letters = text.Length - text.TrimEnd("nums".ToCharArray()).Length;
        ulong unit = text[^letters..] switch
        {
            "" or "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            _ => 0,
        };
        if (unit == 0 || !ulong.TryParse(text[..^letters], NumberStyles.None, CultureInfo.InvariantCulture, out ulong value) || value > ulong.MaxValue / unit)
            throw UserErrorException.Usage($"{option}: '{text}' is not a virtual time; times look like 500000 (nanoseconds), 500us, 20ms or 1s");
        return value * unit;
    }

    /// <summary>A number without a sign, decimal or 0x hex.</summary>
    /// <exception cref="UserErrorException">Status 64.</exception>
    public static ulong Number(string option, string text)
    {
        bool isHex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        return ulong.TryParse(isHex ? text.AsSpan(2) : text, isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            ? value
            : throw UserErrorException.Usage($"{option}: '{text}' is not a number from 0 to 2^64-1");
    }

    /// <summary>One of several words.</summary>
    /// <param name="option">The option, for the message.</param>
    /// <param name="text">What was written.</param>
    /// <param name="choices">The words and what they mean.</param>
    /// <exception cref="UserErrorException">Status 64, or 69 for a word that is promised and not there yet.</exception>
    public static T Choice<T>(string option, string text, params ReadOnlySpan<Choice<T>> choices)
    {
        foreach (Choice<T> choice in choices)
        {
            if (choice.Word != text)
                continue;
            return choice.IsAvailable ? choice.Value : throw UserErrorException.NotYet($"{option} {text} is not available yet");
        }

        string[] words = new string[choices.Length];
        for (int i = 0; i < words.Length; i++)
            words[i] = choices[i].Word;
        throw UserErrorException.Usage($"{option}: '{text}' is none of {string.Join(", ", words)}{Suggestion.Ending(text, words)}");
    }
}
