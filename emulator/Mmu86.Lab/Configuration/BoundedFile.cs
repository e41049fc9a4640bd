namespace Mmu86.Lab.Configuration;

/// <summary>Reads files whole, but never more than a bound: a device or a pipe has no length to ask for.</summary>
public static class BoundedFile
{
    private const int ChunkBytes = 1 << 16;

    /// <summary>Reads a file.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="most">The most bytes that are accepted.</param>
    /// <param name="problem">Where the result is null: why, as the end of a sentence that begins with the path.</param>
    /// <returns>Null where it cannot be read or is larger.</returns>
    public static byte[]? Read(string path, int most, out string problem)
    {
        problem = "";
        try
        {
            using FileStream file = File.OpenRead(path);
            using var bytes = new MemoryStream();
            byte[] chunk = new byte[ChunkBytes];
            for (int read; (read = file.Read(chunk)) > 0;)
            {
                bytes.Write(chunk, 0, read);
                if (bytes.Length <= most)
                    continue;
                problem = $"is larger than {most} bytes";
                return null;
            }

            return bytes.ToArray();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            problem = "cannot be read";
            return null;
        }
    }
}
