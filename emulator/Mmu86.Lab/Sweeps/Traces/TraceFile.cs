using System.Security.Cryptography;
using Mmu86.Lab.Reports;

namespace Mmu86.Lab.Sweeps.Traces;

/// <summary>A trace as a file or on standard input: what it is written in, how to read it, and what reports say of it.</summary>
public sealed class TraceFile : IDisposable
{
    /// <summary>The path that means standard input.</summary>
    public const string StandardInputPath = "-";

    private readonly string _path;
    private readonly byte[] _head;
    private readonly CompressionMethod? _compression;
    private readonly IncrementalHash? _hash;
    private Stream? _pipe;
    private string? _sha256;

    private TraceFile(string path, TraceFormat? format, Stream raw)
    {
        _path = path;
        CanBeReadAgain = path != StandardInputPath && raw.CanSeek;
        byte[] head = new byte[Decompression.HeadBytes];
        _head = head[..raw.ReadAtLeast(head, head.Length, throwOnEndOfStream: false)];
        _compression = Decompression.Recognise(_head, path);
        Format = format ?? TraceRecognition.Recognise(Decompression.Head(_head, _compression));
        if (CanBeReadAgain)
        {
            raw.Dispose();
            return;
        }

        // What passes only once is hashed as it passes.
        _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        _pipe = raw;
    }

    /// <summary>What it is called in messages and reports.</summary>
    public string Name => _path == StandardInputPath ? "standard input" : _path;

    /// <summary>Whether it is a file on a disk, and no pipe.</summary>
    public bool CanBeReadAgain { get; }

    /// <summary>What it is written in.</summary>
    public TraceFormat Format { get; }

    /// <summary>What a report says of it. Of a pipe, which must have been opened, the hash is of what was read.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public ProgramReport Program => new() { Name = Name, Sha256 = _sha256 ??= Hash(), Arguments = [] };

    /// <summary>Finds a trace and looks at its beginning.</summary>
    /// <param name="path">Its path, or <c>-</c>.</param>
    /// <param name="format">What it is written in; null to recognise it.</param>
    /// <param name="standardInput">Gives standard input.</param>
    /// <exception cref="TraceException">There is no such file, or it cannot be read.</exception>
    /// <exception cref="IOException">Reading fails.</exception>
    public static TraceFile Find(string path, TraceFormat? format, Func<Stream> standardInput)
    {
        try
        {
            return new TraceFile(path, format, path == StandardInputPath ? standardInput() : OpenFile(path));
        }
        catch (TraceException exception)
        {
            throw new TraceException($"{path}: {exception.Message}", exception);
        }
    }

    /// <summary>The trace from its beginning, decompressed. A pipe gives it once.</summary>
    /// <exception cref="TraceException">It cannot be opened, or not again.</exception>
    public Stream Open()
    {
        if (CanBeReadAgain)
            return Decompression.Open(OpenFile(_path), default, hash: null, _compression);
        Stream pipe = _pipe ?? throw new TraceException("a pipe can be read only once, and this sweep needs the trace again: use a file");
        _pipe = null;
        return Decompression.Open(pipe, _head, _hash, _compression);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _pipe?.Dispose();
        _hash?.Dispose();
    }

    private static FileStream OpenFile(string path)
    {
        if (Directory.Exists(path))
            throw new TraceException("is a directory");
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 1 << 16);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new TraceException("there is no such file", exception);
        }
        catch (Exception exception) when (exception is UnauthorizedAccessException or IOException or ArgumentException)
        {
            throw new TraceException("cannot be read", exception);
        }
    }

    private string Hash()
    {
        if (_hash is not null)
            return Convert.ToHexStringLower(_hash.GetCurrentHash());
        using FileStream file = OpenFile(_path);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }
}
