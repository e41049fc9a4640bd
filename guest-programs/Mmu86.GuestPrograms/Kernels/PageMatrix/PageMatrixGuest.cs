namespace Mmu86.GuestPrograms;

/// <summary>A kernel that tries page permissions case by case and prints a digest of what happened; see <see cref="PageMatrixKernel"/>.</summary>
internal sealed class PageMatrixGuest : AssembledGuest
{
    private const ulong MostStride = 1_000;

    public override string Name => "kernel-page-matrix";

    public override string Question => "Do all combinations of page rights, reserved bits and control bits fault, and set accessed and dirty, as the manual says?";

    public override GuestVariants Variants => GuestVariants.Bare;

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        // Multiples of 2, 3 and 5 would leave out whole values of what the cases combine, so the default is a prime number.
        new() { Name = "STRIDE", Unit = "cases from one tried to the next", Default = 31, Minimum = 1, Maximum = MostStride },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        IReadOnlyList<PageMatrixReference.Line> lines = new PageMatrixReference(arguments[0]).Lines();
        return
        [
            .. from hasReservedWidth in new[] { true, false }
               from hasLargestPage in new[] { true, false }
               from absent in Enumerable.Range(0, PageMatrixKernel.ControlSets)
               select PageMatrixReference.Output(lines.Where(line =>
                   (hasReservedWidth || line.Group.Class != PageMatrixClass.Width) && (hasLargestPage || line.Group.Leaf != 1) &&
                   ((int)line.Controls & absent) == 0)),
        ];
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments) => new PageMatrixKernel(guest, arguments[0]).Emit();
}
