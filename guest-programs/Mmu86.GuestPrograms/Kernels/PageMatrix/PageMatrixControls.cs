namespace Mmu86.GuestPrograms;

/// <summary>The controls that a line of output is about. CR0.WP and RFLAGS.AC take both values within each line.</summary>
[Flags]
internal enum PageMatrixControls
{
    None = 0,

    /// <summary>EFER.NXE.</summary>
    ExecuteDisable = 1,

    /// <summary>CR4.SMEP.</summary>
    ExecutionPrevention = 2,

    /// <summary>CR4.SMAP.</summary>
    AccessPrevention = 4,
}
