namespace Mmu86.GuestPrograms;

/// <summary>Times loads with RDTSC and works out how the data TLBs are built: entries, sets, ways, and how a page finds its set.</summary>
/// <remarks>What it finds, how, and what it cannot find: the remarks of <see cref="TlbProbe"/>.</remarks>
internal sealed class TlbProbeGuest : AssembledGuest
{
    public override string Name => "tlb-probe";

    public override string Question => "What can a program find out about the data TLBs below it, by nothing but the time that its loads take?";

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "LIMIT", Unit = "entries to look for", Default = 8192, DefaultWith2M = 64, DefaultWith1G = 2, Minimum = 2, Maximum = 1 << 20 },
    ];

    /// <summary>With the default clock, which counts instructions, no load differs from another. What a clock shows that counts cycles depends on the machine.</summary>
    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments) =>
        [$"tlb-probe up to {arguments[0]} entries\nno level: a load takes as long in {arguments[0]} pages as in one\n"];

    protected override void Emit(GuestAssembler guest, GuestArguments arguments) => new TlbProbe(guest, arguments[0]).Emit();
}
