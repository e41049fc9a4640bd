namespace Mmu86.Devices;

/// <summary>What a disk was asked.</summary>
public sealed class BlockCounts
{
    /// <summary>Requests that read.</summary>
    public ulong Reads { get; internal set; }

    /// <summary>Requests that wrote.</summary>
    public ulong Writes { get; internal set; }

    /// <summary>Bytes read.</summary>
    public ulong BytesRead { get; internal set; }

    /// <summary>Bytes written.</summary>
    public ulong BytesWritten { get; internal set; }

    /// <summary>Requests answered with an error, or with not being supported.</summary>
    public ulong Refused { get; internal set; }

    /// <summary>Those among them that were right, and whose bytes could not be read or kept.</summary>
    public ulong Failed { get; internal set; }
}
