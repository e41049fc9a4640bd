using System.Text;

namespace Mmu86.Cli.CommandLine;

/// <summary>Where <c>--json</c> goes: a file, opened before the run so that a path that cannot be written is told at once, or standard output.</summary>
internal sealed class ReportTarget : IDisposable
{
    private readonly string _path;
    private readonly Stream _stream;
    private readonly bool _isNewFile;
    private bool _isWritten;

    private ReportTarget(string path, Stream stream, bool isNewFile)
    {
        _path = path;
        _stream = stream;
        _isNewFile = isNewFile;
    }

    /// <summary>Whether it is standard output, so that the guest's own output must go elsewhere.</summary>
    public bool IsStandardOutput => _path == "-";

    /// <summary>Opens it.</summary>
    /// <param name="path">What <c>--json</c> was given; null for no such option.</param>
    /// <param name="streams">Has the standard output that <c>-</c> means.</param>
    /// <exception cref="UserErrorException">Status 74: it cannot be written.</exception>
    public static ReportTarget? Open(string? path, StandardStreams streams)
    {
        if (path is null)
            return null;
        if (path == "-")
            return new ReportTarget(path, streams.Output, isNewFile: false);
        bool isNewFile = !File.Exists(path);
        try
        {
            return new ReportTarget(path, new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write), isNewFile);
        }
        catch (Exception exception) when (IsRefusal(exception))
        {
            throw Refused(path);
        }
    }

    /// <summary>Writes text, the first time in place of what was there.</summary>
    /// <exception cref="UserErrorException">Status 74: it cannot be written.</exception>
    public void Write(string text) => Write(Encoding.UTF8.GetBytes(text));

    /// <summary>Writes bytes, the first time in place of what was there.</summary>
    /// <exception cref="UserErrorException">Status 74: it cannot be written.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        try
        {
            if (!_isWritten && !IsStandardOutput && _stream.CanSeek)
                _stream.SetLength(0);
            _isWritten = true;
            _stream.Write(bytes);
        }
        catch (Exception exception) when (IsRefusal(exception))
        {
            throw Refused(_path);
        }
    }

    /// <summary>Hands on what was written.</summary>
    /// <exception cref="UserErrorException">Status 74: it cannot be written.</exception>
    public void Flush()
    {
        try
        {
            _stream.Flush();
        }
        catch (Exception exception) when (IsRefusal(exception))
        {
            throw Refused(_path);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            if (!IsStandardOutput)
                _stream.Dispose();
            if (_isNewFile && !_isWritten)
                File.Delete(_path);
        }
        catch (Exception exception) when (IsRefusal(exception))
        {
            // Whoever wanted to know was told by Write or Flush.
        }
    }

    private static bool IsRefusal(Exception exception) => exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException;

    private static UserErrorException Refused(string path) =>
        new(ExitStatus.InputOutput, path == "-" ? "standard output cannot be written" : $"--json: {path} cannot be written");
}
