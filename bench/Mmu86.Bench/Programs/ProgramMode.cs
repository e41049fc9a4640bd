using Mmu86.Lab;

namespace Mmu86.Bench.Programs;

/// <summary>A way to run a kernel: a column of the table.</summary>
internal sealed record ProgramMode(string Name, Fidelity Fidelity, PagingMode Paging)
{
    /// <summary>What the others are compared with.</summary>
    public static ProgramMode Fast { get; } = new("fast", Fidelity.Fast, PagingMode.Native);

    /// <summary>All, the one they are compared with first.</summary>
    public static IReadOnlyList<ProgramMode> All { get; } =
        [Fast, new("tlb native", Fidelity.Tlb, PagingMode.Native), new("tlb nested", Fidelity.Tlb, PagingMode.Nested)];
}
