using System.Globalization;

namespace Mmu86.Lab.Sweeps;

/// <summary>One of several equal parts of a sweep: rows whose number leaves the same remainder.</summary>
/// <param name="Index">Which part, 1 to <paramref name="Count"/>.</param>
/// <param name="Count">How many parts.</param>
public readonly record struct Shard(int Index, int Count)
{
    /// <summary>The most parts.</summary>
    public const int MaximumCount = 100_000;

    /// <summary>All rows.</summary>
    public static Shard Whole => new(1, 1);

    /// <summary>Whether a row belongs to it.</summary>
    /// <param name="row">The row's number in the whole sweep, from 0.</param>
    public bool Has(int row) => row % Count == Index - 1;

    /// <summary>Reads <c>I/N</c>.</summary>
    /// <returns>Null where the text is no such thing.</returns>
    public static Shard? Parse(string text)
    {
        string[] parts = text.Split('/');
        return parts.Length == 2
            && int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int index)
            && int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int count)
            && index >= 1 && index <= count && count <= MaximumCount
                ? new Shard(index, count)
                : null;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Index}/{Count}";
}
