namespace Mmu86.GuestPrograms;

/// <summary>A kernel that builds its own page tables and maps pages when they are first touched; see <see cref="DemandPagingKernel"/>.</summary>
internal sealed class DemandPagingGuest : AssembledGuest
{
    public override string Name => "kernel-demand-paging";

    public override string Question => "Are page faults and the accessed and dirty flags what the manual says, and what does a first touch cost?";

    public override GuestVariants Variants => GuestVariants.Bare;

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "PAGES", Unit = "pages", Default = 2048, Minimum = 1, Maximum = DemandPagingKernel.MostPages },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        // The kernel judges itself: every check compares what it found with a constant of the manual.
        var guest = new GuestAssembler(arguments.Variant, arguments.PageBytes);
        var kernel = new DemandPagingKernel(guest, arguments[0]);
        kernel.Emit();
        return [kernel.OutputIfRight];
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments) => new DemandPagingKernel(guest, arguments[0]).Emit();
}
