using System.Security.Cryptography;

namespace Mmu86.Lab;

/// <summary>A guest program as a file: nothing of it has been looked at yet.</summary>
public sealed record ProgramImage
{
    /// <summary>The name of a bundled guest, or the path as it was given.</summary>
    public required string Name { get; init; }

    /// <summary>The file.</summary>
    public required byte[] Bytes { get; init; }

    /// <summary>The guest's arguments, without its name.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>The hash of the file, in lower-case hex.</summary>
    public string Sha256 => Convert.ToHexStringLower(SHA256.HashData(Bytes));
}
