namespace Mmu86.Memory;

/// <summary>A saved state that is not to be had: broken, cut short, or of another machine. The message names the section and the field.</summary>
public sealed class StateFormatException : Exception
{
    /// <summary>Makes one.</summary>
    /// <param name="message">A sentence without full stop.</param>
    public StateFormatException(string message)
        : base(message)
    {
    }
}
