namespace Mmu86.Hypervisor;

/// <summary>Keeps translations that lead to a guest's frames, besides its MMUs: shadow tables.</summary>
internal interface IMappingKeeper
{
    /// <summary>Frames are about to be taken away, or to be written by nobody: nothing may lead to any frame when it returns. The machine does not run.</summary>
    void ForgetMappings();
}
