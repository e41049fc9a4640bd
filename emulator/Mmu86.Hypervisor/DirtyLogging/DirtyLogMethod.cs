namespace Mmu86.Hypervisor.DirtyLogging;

/// <summary>How a machine's writes are found out.</summary>
public enum DirtyLogMethod
{
    /// <summary>The processor writes the guest-physical address of each page whose dirty flag it sets into a log; a full log is a VM exit. EPT with accessed
    /// and dirty flags only. SDM 3, "Page-Modification Logging".</summary>
    PageModificationLog,

    /// <summary>Pages may not be written: the first write to each is a VM exit, and gives the right back.</summary>
    WriteProtection,
}
