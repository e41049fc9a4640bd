namespace Mmu86.Loaders;

/// <summary>A file that cannot be loaded. The message is one sentence that names the field or the segment.</summary>
public class ImageFormatException : Exception
{
    /// <summary>Makes one.</summary>
    public ImageFormatException(string message)
        : base(message)
    {
    }
}
