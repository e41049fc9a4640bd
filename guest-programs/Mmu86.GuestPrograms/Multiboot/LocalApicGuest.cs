namespace Mmu86.GuestPrograms;

/// <summary>A multiboot kernel that uses the local APIC; see <see cref="LocalApicKernel"/>.</summary>
internal sealed class LocalApicGuest : MultibootGuest
{
    public override string Name => "kernel-local-apic";

    public override string Question => "Does the local APIC deliver what its timer, its own processor and nobody's processor are sent, by memory and by MSR?";

    /// <remarks>A machine without x2APIC says so and is not asked about it.</remarks>
    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        string memory = Lines(LocalApicKernel.MemoryClaims);
        return [$"{memory}x2APIC: yes\n{Lines(LocalApicKernel.RegisterClaims)}0 checks failed\n", $"{memory}x2APIC: no\n0 checks failed\n"];

        static string Lines(IEnumerable<string> claims) => string.Concat(claims.Select(claim => $"{claim}: ok\n"));
    }

    protected override void EmitProtected(ProtectedModeAssembler kernel, LongModeEntry entry) => entry.EmitSegments();

    protected override void EmitLong(GuestAssembler guest) => new LocalApicKernel(guest).Emit();
}
