namespace Mmu86.GuestPrograms;

/// <summary>A kernel that changes paging entries and forgets to invalidate, then does it properly; see <see cref="StaleTranslationKernel"/>.</summary>
/// <remarks>
/// The manual allows both answers to each of the first three lines, so they show what the machine is like: they are the one place where
/// results may differ between machines, fidelities and emulators. The lines after them may not.
/// </remarks>
internal sealed class StaleTranslationGuest : AssembledGuest
{
    public override string Name => "kernel-stale-translation";

    public override string Question => "Which translation does the machine use after an entry changed and nobody said INVLPG?";

    public override GuestVariants Variants => GuestVariants.Bare;

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        string rest = string.Concat(StaleTranslationKernel.Invalidations.Select(what => $"{what}: new\n"));
        return
        [
            .. from page in new[] { "old", "new" }
               from directory in new[] { "old", "new" }
               from rights in new[] { "no fault", "fault" }
               select $"page changed, no INVLPG: {page}\ntable changed, no INVLPG, page not used before: {directory}\n" +
                      $"page made writable, no INVLPG: {rights}\n{rest}",
        ];
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments) => new StaleTranslationKernel(guest).Emit();
}
