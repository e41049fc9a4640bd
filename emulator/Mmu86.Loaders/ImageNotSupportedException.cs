namespace Mmu86.Loaders;

/// <summary>A sound file of a kind that Mmu86 does not load yet. The message is one sentence that names the kind.</summary>
public sealed class ImageNotSupportedException : ImageFormatException
{
    /// <summary>Makes one.</summary>
    public ImageNotSupportedException(string message)
        : base(message)
    {
    }
}
