using System.Globalization;

namespace Mmu86.Bench;

/// <summary>The words behind a subcommand: options with values, flags, and the rest.</summary>
internal sealed class CommandWords(IEnumerable<string> words)
{
    private readonly List<string> _words = [.. words];

    /// <summary>Takes an option's value.</summary>
    /// <returns>Null where the option is not given.</returns>
    public string? TakeValue(string option)
    {
        int at = _words.IndexOf(option);
        if (at < 0)
            return null;
        if (at + 1 == _words.Count)
            throw new UsageException($"{option} wants a value.");
        string value = _words[at + 1];
        _words.RemoveRange(at, 2);
        return value;
    }

    /// <summary>Takes an option's value, a number of at least 1.</summary>
    public int TakeNumber(string option, int otherwise)
    {
        if (TakeValue(option) is not { } text)
            return otherwise;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0
            ? number
            : throw new UsageException($"{option} wants a number, not '{text}'.");
    }

    /// <summary>Takes a flag.</summary>
    public bool TakeFlag(string flag) => _words.Remove(flag);

    /// <summary>Takes the next word.</summary>
    public string TakeWord(string meaning)
    {
        if (_words.Count == 0)
            throw new UsageException($"{meaning} is missing.");
        string word = _words[0];
        _words.RemoveAt(0);
        return word;
    }

    /// <summary>Nothing may be left.</summary>
    public void End()
    {
        if (_words.Count != 0)
            throw new UsageException($"'{_words[0]}' is not understood.");
    }
}

/// <summary>The command line is wrong.</summary>
internal sealed class UsageException(string message) : Exception(message);
