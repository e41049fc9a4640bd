using System.Globalization;

namespace Mmu86.GuestPrograms;

/// <summary>A guest's arguments after they were read and checked.</summary>
internal sealed record GuestArguments
{
    private readonly ulong[] _values;

    private GuestArguments(ulong[] values) => _values = values;

    public required GuestVariant Variant { get; init; }

    /// <summary>The size of the guest's pages in bytes.</summary>
    public required ulong PageBytes { get; init; }

    /// <summary>The machine's memory in bytes.</summary>
    public required ulong MemoryBytes { get; init; }

    /// <summary>The arguments as they were given: the command line of a multiboot kernel.</summary>
    public required IReadOnlyList<string> Words { get; init; }

    /// <summary>The value of the parameter with this position.</summary>
    public ulong this[int position] => _values[position];

    public static GuestArguments Parse(string guest, IReadOnlyList<GuestParameter> parameters, GuestBuildOptions options, GuestVariant variant)
    {
        if (options.Arguments.Count > parameters.Count && variant != GuestVariant.Multiboot)
        {
            string most = parameters.Count switch { 0 => "no arguments", 1 => "at most one argument", int n => $"at most {n} arguments" };
            throw new GuestArgumentException(
                $"{guest} takes {most}, so '{options.Arguments[parameters.Count]}' is one too many.");
        }

        var values = new ulong[parameters.Count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = i < options.Arguments.Count
                ? ParseOne(guest, parameters[i], options.Arguments[i], options.MemoryBytes)
                : parameters[i].DefaultFor(options.GuestPage);
        }

        return new GuestArguments(values)
        {
            Variant = variant,
            PageBytes = GuestPageSize.Bytes(options.GuestPage),
            MemoryBytes = options.MemoryBytes,
            Words = options.Arguments,
        };
    }

    private static ulong ParseOne(string guest, GuestParameter parameter, string text, ulong memoryBytes)
    {
        if (parameter.Choices.Count > 0)
        {
            for (int i = 0; i < parameter.Choices.Count; i++)
            {
                if (parameter.Choices[i] == text)
                    return (ulong)i;
            }

            string choices = string.Join(", ", parameter.Choices.SkipLast(1)) + " or " + parameter.Choices[^1];
            throw new GuestArgumentException($"{guest}: {parameter.Name} is '{text}'; it must be {choices}.");
        }

        bool isShare = parameter.MayBeShareOfMemory && text.EndsWith('%');
        bool isNumber = ulong.TryParse(isShare ? text[..^1] : text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value);
        if (isShare)
            value = (ulong)UInt128.Min((UInt128)(memoryBytes / GuestPageSize.FourKibibytes) * value / 100, ulong.MaxValue);
        if (!isNumber || value < parameter.Minimum || value > parameter.Maximum)
        {
            throw new GuestArgumentException(
                $"{guest}: {parameter.Name} is '{text}'; it must be a number ({parameter.Unit}) from {parameter.Minimum} to {parameter.Maximum}{(parameter.MayBeShareOfMemory ? ", or such a share of the machine's memory as 60%" : "")}.");
        }

        return value;
    }
}
