namespace Mmu86.Hypervisor.Migration;

/// <summary>What a record of the stream is. Each is a kind (1 byte), a length (4), that many bytes, and their XXH3 checksum (8), little-endian.</summary>
internal enum MigrationRecord : byte
{
    /// <summary>The first: magic, version, and the memory's size.</summary>
    Hello = 1,

    /// <summary>A frame's number and its 4096 bytes.</summary>
    Page,

    /// <summary>Numbers of frames that are zero.</summary>
    Zeros,

    /// <summary>The end of a round, and its number.</summary>
    RoundEnd,

    /// <summary>Numbers of frames in the guest's balloon.</summary>
    Balloon,

    /// <summary>A section of the machine's state: the length of its name, its name, its bytes.</summary>
    State,

    /// <summary>The last: how many pages, zeros and sections were sent.</summary>
    End,
}
