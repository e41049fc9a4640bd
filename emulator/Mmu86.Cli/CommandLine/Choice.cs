namespace Mmu86.Cli.CommandLine;

/// <summary>A word that an option takes.</summary>
/// <param name="Word">The word.</param>
/// <param name="Value">What it means.</param>
internal readonly record struct Choice<T>(string Word, T Value)
{
    /// <summary>False for a word of a later version.</summary>
    public bool IsAvailable { get; init; } = true;

    /// <summary>A word of a later version.</summary>
    public static Choice<T> Later(string word) => new(word, default!) { IsAvailable = false };
}
