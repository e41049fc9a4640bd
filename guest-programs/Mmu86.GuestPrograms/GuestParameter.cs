using System.Globalization;

namespace Mmu86.GuestPrograms;

/// <summary>One parameter of a guest: a number that is baked into its image, or a word that stands for one.</summary>
public sealed record GuestParameter
{
    /// <summary>What the parameter is called in usage texts, for example <c>PAGES</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What it counts, for example <c>pages</c>.</summary>
    public required string Unit { get; init; }

    /// <summary>The value it has when it is not given and the guest's pages are 4 KiB.</summary>
    public required ulong Default { get; init; }

    /// <summary>The value it has when it is not given and the guest's pages are 2 MiB.</summary>
    /// <remarks>A count of pages shrinks with their size, so that the guest still fits the memory that machines have by default.</remarks>
    public ulong? DefaultWith2M { get; init; }

    /// <summary>The value it has when it is not given and the guest's pages are 1 GiB.</summary>
    public ulong? DefaultWith1G { get; init; }

    /// <summary>The least value accepted.</summary>
    public required ulong Minimum { get; init; }

    /// <summary>The greatest value accepted.</summary>
    public required ulong Maximum { get; init; }

    /// <summary>The words that it may be; its value is the place of the word. Empty for a parameter that is a number.</summary>
    public IReadOnlyList<string> Choices { get; init; } = [];

    /// <summary>Whether the number, one of pages of 4 KiB, may be given as a percentage of the machine's memory: <c>60%</c>.</summary>
    public bool MayBeShareOfMemory { get; init; }

    /// <summary>The default as it is written on a command line.</summary>
    public string DefaultText => Choices.Count > 0 ? Choices[(int)Default] : Default.ToString(CultureInfo.InvariantCulture);

    /// <summary>The value it has when it is not given.</summary>
    /// <param name="guestPage"><c>4k</c>, <c>2m</c> or <c>1g</c>.</param>
    /// <exception cref="GuestArgumentException">The page size is none of these.</exception>
    public ulong DefaultFor(string guestPage) => GuestPageSize.Bytes(guestPage) switch
    {
        GuestPageSize.TwoMebibytes => DefaultWith2M ?? Default,
        GuestPageSize.OneGibibyte => DefaultWith1G ?? DefaultWith2M ?? Default,
        _ => Default,
    };
}
