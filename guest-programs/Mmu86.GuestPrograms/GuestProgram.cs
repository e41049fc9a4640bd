namespace Mmu86.GuestPrograms;

/// <summary>A bundled guest: what it is called, what it asks, and the images built from it.</summary>
public sealed record GuestProgram
{
    private readonly GuestSource _source;

    internal GuestProgram(GuestSource source)
    {
        _source = source;
        DefaultVariant = source.Variants.HasFlag(GuestVariants.RingThree) ? GuestVariant.RingThree
            : source.Variants.HasFlag(GuestVariants.Bare) ? GuestVariant.Bare
            : GuestVariant.Multiboot;
    }

    /// <summary>Its name in the catalogue, without <c>@bare</c>.</summary>
    public string Name => _source.Name;

    /// <summary>One sentence: the question that running it answers.</summary>
    public string Question => _source.Question;

    /// <summary>Its parameters in the order in which they are given.</summary>
    public IReadOnlyList<GuestParameter> Parameters => _source.Parameters;

    /// <summary>The variants that exist.</summary>
    public GuestVariants Variants => _source.Variants;

    /// <summary>The variant that is built where the options name none.</summary>
    public GuestVariant DefaultVariant { get; internal init; }

    /// <summary>Builds the image: a complete ELF64 executable, or ELF32 for a multiboot kernel. The same options give the same bytes.</summary>
    /// <exception cref="GuestArgumentException">An argument, the variant or the page size is not one that the guest takes.</exception>
    public byte[] Build(GuestBuildOptions options) => _source.Build(Arguments(options));

    /// <summary>What the image prints on the default machine, computed without running it.</summary>
    /// <remarks>Takes about as long as the guest takes natively. For most guests this is the only right output.</remarks>
    /// <exception cref="GuestArgumentException">As for <see cref="Build"/>.</exception>
    public string ExpectedOutput(GuestBuildOptions options) => AcceptableOutputs(options)[0];

    /// <summary>Everything that the image may print on a machine that follows the manual; <see cref="ExpectedOutput"/> comes first.</summary>
    /// <remarks>There is more than one only where the guest reports what the machine is like: whether it has PCIDs, whether it kept a
    /// translation that nobody invalidated.</remarks>
    /// <exception cref="GuestArgumentException">As for <see cref="Build"/>.</exception>
    public IReadOnlyList<string> AcceptableOutputs(GuestBuildOptions options) => _source.AcceptableOutputs(Arguments(options));

    private GuestArguments Arguments(GuestBuildOptions options)
    {
        GuestVariant variant = options.Variant ?? DefaultVariant;
        (GuestVariants wanted, string image) = variant switch
        {
            GuestVariant.RingThree => (GuestVariants.RingThree, "ring-3"),
            GuestVariant.Bare => (GuestVariants.Bare, "ring-0"),
            _ => (GuestVariants.Multiboot, "multiboot"),
        };
        if (!Variants.HasFlag(wanted))
            throw new GuestArgumentException($"{Name} has no {image} image.");

        return GuestArguments.Parse(Name, Parameters, options, variant);
    }
}
