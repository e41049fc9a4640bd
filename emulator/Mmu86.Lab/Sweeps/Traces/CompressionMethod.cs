namespace Mmu86.Lab.Sweeps.Traces;

/// <summary>A way of compressing files.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Open">Makes the decompressor of a file.</param>
internal sealed record CompressionMethod(string Name, Func<Stream, Stream> Open)
{
    /// <summary>Whether the decompressor takes the end of the file for the end of the content, wherever it is.</summary>
    public bool MissesCuts { get; init; }

    /// <summary>Whether the decompressor ends at the end of the first compressed file where several stand in one.</summary>
    public bool EndsAreSilent { get; init; }
}
