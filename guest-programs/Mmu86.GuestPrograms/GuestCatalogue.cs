namespace Mmu86.GuestPrograms;

/// <summary>All bundled guests.</summary>
public static class GuestCatalogue
{
    /// <summary>The suffix that asks for a guest's ring-0 image.</summary>
    public const string BareSuffix = "@bare";

    private static readonly GuestSource[] Sources =
    [
        new HelloGuest(),
        new SieveGuest(),
        new QuicksortGuest(),
        new HeapsortGuest(),
        new HashTableGuest(),
        new TreeGuest(),
        new CrcGuest(),
        new BytecodeGuest(),
        new MatrixGuest(),
        new StringsGuest(),
        new FibonacciGuest(),
        new StrideGuest(),
        new PointerChaseGuest(),
        new LineChaseGuest(),
        new JumpChainGuest(),
        new TlbProbeGuest(),
        new GupsGuest(),
        new DemandPagingGuest(),
        new TwoProcessesGuest(),
        new StaleTranslationGuest(),
        new PageMatrixGuest(),
        new MemoryKernelGuest(),
        new MultibootKernelGuest(),
        new LocalApicGuest(),
    ];

    /// <summary>Every guest once, as its name without suffix finds it, in the order in which they are listed.</summary>
    public static IReadOnlyList<GuestProgram> All { get; } = Array.ConvertAll(Sources, source => new GuestProgram(source));

    /// <summary>Looks a guest up: <c>sieve</c> is the ring-3 image where there is one, <c>sieve@bare</c> the ring-0 image.</summary>
    /// <returns>Null where there is no such guest.</returns>
    public static GuestProgram? Find(string name)
    {
        bool bare = name.EndsWith(BareSuffix, StringComparison.Ordinal);
        string stem = bare ? name[..^BareSuffix.Length] : name;
        GuestProgram? guest = All.FirstOrDefault(guest => guest.Name == stem);
        if (guest is null || !bare)
            return guest;

        return guest.Variants.HasFlag(GuestVariants.Bare) ? guest with { DefaultVariant = GuestVariant.Bare } : null;
    }
}
