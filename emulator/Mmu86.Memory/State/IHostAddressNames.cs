namespace Mmu86.Memory;

/// <summary>Names for host-physical addresses that mean the same on another host, or on the same one later: what a saved state holds in their place.</summary>
/// <remarks>
/// A name has the bits 51:12 of an address at most, so that it fits where the address was; bits 11:0 are the offset in the frame and stay as they are.
/// Only a name decides where a restored machine can reach: one that leads nowhere is refused.
/// </remarks>
public interface IHostAddressNames
{
    /// <summary>Whether every name leads back to the address that had it when the state was saved: the machine has the very frames that it had.</summary>
    bool AreUnchanged { get; }

    /// <summary>The name of an address.</summary>
    /// <param name="address">Host-physical.</param>
    /// <returns>False where it is no address of the machine's.</returns>
    bool TryName(ulong address, out ulong name);

    /// <summary>The address of a name.</summary>
    /// <returns>False where the machine has no such address.</returns>
    bool TryResolve(ulong name, out ulong address);
}
