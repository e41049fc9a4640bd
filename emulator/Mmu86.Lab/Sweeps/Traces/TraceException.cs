namespace Mmu86.Lab.Sweeps.Traces;

/// <summary>A trace that cannot be read or used: the message is one sentence for the user, with the line or byte where there is one.</summary>
public sealed class TraceException : Exception
{
    /// <summary>Makes one.</summary>
    public TraceException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one that something else caused.</summary>
    public TraceException(string message, Exception cause)
        : base(message, cause)
    {
    }
}
