namespace Mmu86.Hypervisor.Swap;

/// <summary>How an operation of a swap device or of the swap space ended.</summary>
public enum SwapStatus
{
    /// <summary>As asked.</summary>
    Done,

    /// <summary>No slot is free, or the file system that holds the swap file has no room.</summary>
    DeviceFull,

    /// <summary>The device gave fewer bytes than were asked for.</summary>
    ShortRead,

    /// <summary>The device took fewer bytes than it was given.</summary>
    ShortWrite,

    /// <summary>The device could not read.</summary>
    ReadFailed,

    /// <summary>The device could not write.</summary>
    WriteFailed,

    /// <summary>The bytes that came back are not those that were stored.</summary>
    ChecksumMismatch,
}
