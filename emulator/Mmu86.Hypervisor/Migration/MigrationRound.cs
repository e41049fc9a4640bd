namespace Mmu86.Hypervisor.Migration;

/// <summary>What one round of a migration sent.</summary>
public sealed record MigrationRound
{
    /// <summary>Pages sent with their bytes.</summary>
    public required ulong Pages { get; init; }

    /// <summary>Pages that were zero, of which only the number was sent.</summary>
    public required ulong ZeroPages { get; init; }

    /// <summary>Bytes on the stream, frames of the format included.</summary>
    public required ulong Bytes { get; init; }

    /// <summary>Virtual nanoseconds from its beginning until all of it had arrived.</summary>
    public required ulong Nanoseconds { get; init; }

    /// <summary>Pages that the machine wrote meanwhile; 0 in the last round, while which it stood still.</summary>
    public required ulong Dirtied { get; init; }
}
