namespace Mmu86.Memory;

/// <summary>The names of a machine whose cached addresses are worth nothing where it is now: each leads to where no RAM and no device is, and whatever led there is to be dropped.</summary>
public sealed class ForgottenHostAddresses : IHostAddressNames
{
    // The last frame of the device hole.
    private const ulong Nowhere = HostMemory.HoleEnd - 4096;

    private ForgottenHostAddresses()
    {
    }

    /// <summary>The only one.</summary>
    public static ForgottenHostAddresses All { get; } = new();

    /// <inheritdoc/>
    public bool AreUnchanged => false;

    /// <inheritdoc/>
    public bool TryName(ulong address, out ulong name)
    {
        name = 0;
        return false;
    }

    /// <inheritdoc/>
    public bool TryResolve(ulong name, out ulong address)
    {
        address = Nowhere;
        return true;
    }
}
