namespace Mmu86.Hypervisor.Migration;

/// <summary>A migration that failed: the stream is broken or is no such stream, or the destination cannot take the machine. The source runs on.</summary>
public sealed class MigrationException : Exception
{
    /// <summary>Makes one.</summary>
    /// <param name="message">A sentence without full stop that names the field.</param>
    public MigrationException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one for an error of the stream.</summary>
    public MigrationException(string message, Exception cause)
        : base(message, cause)
    {
    }
}
