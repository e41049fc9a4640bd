namespace Mmu86.Hypervisor.Swap;

/// <summary>A swap file that cannot be made as asked: a refused configuration. The message is one sentence that names the field of the scenario.</summary>
public sealed class SwapFileException : Exception
{
    /// <summary>Makes one.</summary>
    /// <param name="message">The sentence.</param>
    public SwapFileException(string message)
        : base(message)
    {
    }

    /// <summary>Makes one that the operating system is the cause of.</summary>
    /// <param name="message">The sentence.</param>
    /// <param name="cause">What the operating system said.</param>
    public SwapFileException(string message, Exception cause)
        : base(message, cause)
    {
    }
}
