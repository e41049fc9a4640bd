namespace Mmu86.Devices;

/// <summary>The cached translations of a machine, which a processor may drop at any time.</summary>
public interface ICachedTranslations
{
    /// <summary>Drops at least every translation that leads to a page.</summary>
    /// <param name="physicalAddress">A guest-physical address in the page.</param>
    void DropPage(ulong physicalAddress);
}
