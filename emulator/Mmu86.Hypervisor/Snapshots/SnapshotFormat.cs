namespace Mmu86.Hypervisor.Snapshots;

/// <summary>The numbers of the format. docs/hypervisor/snapshots.md draws it.</summary>
internal static class SnapshotFormat
{
    /// <summary>The version that is written, and the only one that is read.</summary>
    public const uint Version = 5;

    /// <summary>The longest name of a section.</summary>
    public const int MostNameBytes = 32;

    /// <summary>The longest that a section may be, stored or not.</summary>
    public const int MostSectionBytes = 1 << 30;

    /// <summary>The last section: how many there were before it.</summary>
    public const string End = "end";

    /// <summary>Frames of guest memory.</summary>
    public const string Pages = "pages";

    /// <summary>Bytes of a host's swap device, by slots.</summary>
    public const string SwapPages = "swap-pages";

    /// <summary>Compressed pages of a host's swap that are in memory.</summary>
    public const string PooledPages = "swap-pool";

    /// <summary>What is on a guest's disk, by pages; behind the name of the machine where there are several.</summary>
    public const string DiskPages = "disk-pages";

    /// <summary>The first bytes of a file.</summary>
    public static ReadOnlySpan<byte> Magic => "MMU86SNP"u8;

    /// <summary>How the bytes of a section are stored.</summary>
    public enum Encoding : byte
    {
        /// <summary>As they are.</summary>
        Raw,

        /// <summary>Brotli.</summary>
        Brotli,
    }
}
