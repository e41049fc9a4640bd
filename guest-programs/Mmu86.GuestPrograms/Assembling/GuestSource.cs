namespace Mmu86.GuestPrograms;

/// <summary>Where a guest's images come from, and what they must print.</summary>
internal abstract class GuestSource
{
    public abstract string Name { get; }

    public abstract string Question { get; }

    public virtual IReadOnlyList<GuestParameter> Parameters => [];

    public virtual GuestVariants Variants => GuestVariants.RingThree | GuestVariants.Bare;

    public abstract byte[] Build(GuestArguments arguments);

    /// <summary>What the guest may print, the default machine's output first. Computed by other means than the guest's own.</summary>
    public abstract IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments);
}
