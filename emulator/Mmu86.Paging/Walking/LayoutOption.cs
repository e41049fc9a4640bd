namespace Mmu86.Paging;

/// <summary>The control bit that a paging mode's formats depend on: CR4.PSE in 32-bit paging, EFER.NXE in the others.</summary>
internal enum LayoutOption
{
    Clear = 0,
    Set = 1,
}
