namespace Mmu86.Devices;

/// <summary>A guest's memory as a device reaches it. Every address is the guest's word, so each access says whether it was RAM.</summary>
public interface IDeviceMemory
{
    /// <summary>Copies guest-physical memory out.</summary>
    /// <returns>False where a byte of it is no RAM: then nothing was copied.</returns>
    bool TryRead(ulong address, Span<byte> destination);

    /// <summary>Copies bytes into guest-physical memory.</summary>
    /// <returns>False where a byte of it is no RAM: then nothing was written.</returns>
    bool TryWrite(ulong address, ReadOnlySpan<byte> source);
}
