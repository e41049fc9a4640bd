namespace Mmu86.Lab.Configuration;

/// <summary>One thing that is wrong in a configuration.</summary>
/// <param name="Path">Where: the path of the value in the JSON document, such as <c>mmu.l1Data.arrays[0].ways</c>; empty for the document itself.</param>
/// <param name="Message">What is wrong, without the path and without a full stop.</param>
public sealed record ConfigurationError(string Path, string Message)
{
    /// <inheritdoc/>
    public override string ToString() => Path.Length == 0 ? Message : $"{Path}: {Message}";
}
