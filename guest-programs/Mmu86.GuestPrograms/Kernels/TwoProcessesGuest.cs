namespace Mmu86.GuestPrograms;

/// <summary>A kernel that runs two ring-3 processes in address spaces of their own; see <see cref="TwoProcessesKernel"/>.</summary>
internal sealed class TwoProcessesGuest : AssembledGuest
{
    public override string Name => "kernel-two-processes";

    public override string Question => "What do address-space switches cost with and without PCIDs, when two processes share a page and nothing else?";

    public override GuestVariants Variants => GuestVariants.Bare;

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "ROUNDS", Unit = "rounds", Default = 100_000, Minimum = 1, Maximum = 1_000_000_000 },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        ulong rounds = arguments[0];
        string rest =
            $"process 0: private {rounds}, shared {(2 * rounds) - 1}, surprises 0, exited\n" +
            $"process 1: private {2 * rounds}, shared {2 * rounds}, surprises 0, stopped by a page fault with error code 5\n" +
            $"switches: {(2 * rounds) + 1}\n";
        return ["PCIDs: yes\n" + rest, "PCIDs: no\n" + rest];
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments) => new TwoProcessesKernel(guest, arguments[0]).Emit();
}
