namespace Mmu86.GuestPrograms;

/// <summary>The accesses, in the order in which the kernel counts them.</summary>
internal enum PageMatrixAccess
{
    SupervisorRead,
    SupervisorWrite,
    SupervisorFetch,
    UserRead,
    UserWrite,
    UserFetch,
    SupervisorSegmentLoad,
    UserSegmentLoad,
}
