using Mmu86.X86;

namespace Mmu86.Loaders;

/// <summary>Raw bytes with the guest-physical address they are copied to and the address they are entered at.</summary>
public sealed class FlatImage
{
    /// <summary>Where flat images go unless the user says otherwise: 1 MiB, above what a PC keeps for its firmware.</summary>
    public static readonly GuestPhysicalAddress DefaultLoadAddress = new(1UL << 20);

    /// <summary>Checks what can be checked without knowing the size of memory.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="loadAddress">Where its first byte goes.</param>
    /// <param name="entry">Where it is entered; must be one of its bytes.</param>
    /// <exception cref="ImageFormatException">The file is empty, its end wraps around, or the entry is outside.</exception>
    public FlatImage(ReadOnlyMemory<byte> bytes, GuestPhysicalAddress loadAddress, GuestPhysicalAddress entry)
    {
        if (bytes.IsEmpty)
            throw new ImageFormatException("The flat image is empty.");
        if (loadAddress.Value > ulong.MaxValue - (ulong)bytes.Length)
            throw new ImageFormatException($"The load address {loadAddress} leaves no room for the flat image ({bytes.Length} bytes).");
        if (entry.Value < loadAddress.Value || entry.Value - loadAddress.Value >= (ulong)bytes.Length)
        {
            throw new ImageFormatException(
                $"The entry {entry} lies outside the flat image ({loadAddress}, {bytes.Length} bytes).");
        }

        Bytes = bytes;
        LoadAddress = loadAddress;
        Entry = entry;
    }

    /// <summary>The file.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>Where the first byte goes.</summary>
    public GuestPhysicalAddress LoadAddress { get; }

    /// <summary>Where it is entered.</summary>
    public GuestPhysicalAddress Entry { get; }
}
