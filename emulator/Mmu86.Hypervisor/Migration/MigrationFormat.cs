namespace Mmu86.Hypervisor.Migration;

/// <summary>Bounds of the stream's format.</summary>
internal static class MigrationFormat
{
    /// <summary>"MMU86MIG", the first byte lowest.</summary>
    public const ulong Magic = 0x4749_4D36_3855_4D4D;

    /// <summary>The version of the format.</summary>
    public const uint Version = 2;

    /// <summary>Kind and length before a record's bytes, and the checksum behind.</summary>
    public const int Overhead = 1 + sizeof(uint) + sizeof(ulong);

    /// <summary>Frame numbers in one record.</summary>
    public const int MostNumbers = 4096;

    /// <summary>The longest name of a section, in bytes.</summary>
    public const int MostNameBytes = 64;

    /// <summary>The longest record: a section of the state.</summary>
    public const int MostBytes = 256 << 20;
}
