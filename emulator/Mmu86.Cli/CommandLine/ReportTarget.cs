using System.Text;

namespace Mmu86.Cli.CommandLine;

/// <summary>
/// Where <c>--json</c>, <c>--csv</c> or <c>--html</c> goes: a file or standard output. A file is written beside its place and takes it when it is
/// complete, so nobody ever finds half of one; it is opened before the run, so that a path that cannot be written is told at once.
/// Devices, pipes and files in folders that take no new file are written directly.
/// </summary>
internal sealed class ReportTarget : IDisposable
{
    private const string StandardOutputPath = "-";

    // ENOSPC and EDQUOT of Linux; the runtime hands the number on.
    private const int NoSpace = 28;
    private const int NoQuota = 122;

    private readonly string _option;
    private readonly string _path;
    private readonly Stream _stream;
    private readonly string? _place;
    private readonly string? _beside;
    private bool _isWritten;
    private bool _isComplete;

    private ReportTarget(string option, string path, Stream stream, string? place = null, string? beside = null)
    {
        _option = option;
        _path = path;
        _stream = stream;
        _place = place;
        _beside = beside;
    }

    /// <summary>Whether it is standard output, so that the guest's own output must go elsewhere.</summary>
    public bool IsStandardOutput => _path == StandardOutputPath;

    /// <summary>Opens it.</summary>
    /// <param name="option">The option, such as <c>--json</c>: it names the target in messages.</param>
    /// <param name="path">What the option was given; null for no such option.</param>
    /// <param name="streams">Has the standard output that <c>-</c> means.</param>
    /// <exception cref="UserErrorException">Status 74: it cannot be written.</exception>
    public static ReportTarget? Open(string option, string? path, StandardStreams streams)
    {
        if (path is null)
            return null;
        if (path == StandardOutputPath)
            return new ReportTarget(option, path, streams.Output);
        try
        {
            return FinalPlace(path) is string place ? OpenFile(option, path, place) : OpenDirectly(option, path);
        }
        catch (Exception exception) when (IsRefusal(exception))
        {
            throw Refused(option, path, exception);
        }
    }

    /// <summary>Writes text.</summary>
    /// <exception cref="UserErrorException">Status 74: it cannot be written.</exception>
    public void Write(string text) => Write(Encoding.UTF8.GetBytes(text));

    /// <summary>Writes bytes; the first time in place of what was there, where nothing can stand beside it.</summary>
    /// <exception cref="UserErrorException">Status 74: it cannot be written.</exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        try
        {
            if (!_isWritten && !IsStandardOutput && _beside is null && _stream is { CanSeek: true, Length: > 0 })
                _stream.SetLength(0);
            _isWritten = true;
            _stream.Write(bytes);
        }
        catch (Exception exception) when (IsRefusal(exception))
        {
            throw Refused(_option, _path, exception);
        }
    }

    /// <summary>Hands on what was written: it is all there is. Without this call a file stays as it was.</summary>
    /// <exception cref="UserErrorException">Status 74: it cannot be written.</exception>
    public void Complete()
    {
        try
        {
            if (_beside is null)
            {
                _stream.Flush();
                return;
            }

            // A full disk may be told as late as here.
            ((FileStream)_stream).Flush(flushToDisk: true);
            _stream.Dispose();
            File.Move(_beside, _place!, overwrite: true);
            _isComplete = true;
        }
        catch (Exception exception) when (IsRefusal(exception))
        {
            throw Refused(_option, _path, exception);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!IsStandardOutput)
            Quietly(_stream.Dispose);
        if (_beside is not null && !_isComplete)
            Quietly(() => File.Delete(_beside));
    }

    // Whoever wanted to know was told by Write or Complete.
    private static void Quietly(Action action)
    {
        try
        {
            action();
        }
        catch (Exception exception) when (IsRefusal(exception))
        {
        }
    }

    private static ReportTarget OpenFile(string option, string path, string place)
    {
        UnixFileMode? mode = null;
        bool exists = File.Exists(place);
        if (exists)
        {
            // A file that may not be written is not replaced either; and a pipe has no place to take.
            var existing = new FileStream(place, FileMode.Open, FileAccess.Write);
            if (!existing.CanSeek)
                return new ReportTarget(option, path, existing);
            existing.Dispose();
            mode = OperatingSystem.IsWindows() ? null : File.GetUnixFileMode(place);
        }

        string folder = Path.GetDirectoryName(place)!;
        if (place.EndsWith(Path.DirectorySeparatorChar) || Directory.Exists(place))
            throw new IOException("is a folder");
        // Of its own for each option and process; independent of the file's name, which may be as long as names can be.
        string beside = Path.Combine(folder, $".mmu86-{Environment.ProcessId}{option}.partial");
        try
        {
            var stream = new FileStream(beside, FileMode.Create, FileAccess.Write);
            if (mode is UnixFileMode kept && !OperatingSystem.IsWindows())
                File.SetUnixFileMode(stream.SafeFileHandle, kept);
            return new ReportTarget(option, path, stream, place, beside);
        }
        catch (Exception exception) when (IsRefusal(exception) && exists)
        {
            return OpenDirectly(option, path);
        }
    }

    private static ReportTarget OpenDirectly(string option, string path) =>
        new(option, path, new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write));

    // Where the file is when all links are followed, so that a link stays one; null for what is no file on a disk.
    private static string? FinalPlace(string path)
    {
        const int MostLinks = 40; // As the kernel.
        string place = Path.GetFullPath(path);
        for (int links = 0; links < MostLinks; links++)
        {
            if (place.StartsWith("/dev/", StringComparison.Ordinal) || place.StartsWith("/proc/", StringComparison.Ordinal))
                return null;
            if (new FileInfo(place).LinkTarget is not string target)
                return place;
            place = Path.GetFullPath(target, Path.GetDirectoryName(place)!);
        }

        throw new IOException("too many links");
    }

    private static bool IsRefusal(Exception exception) => exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException;

    private static UserErrorException Refused(string option, string path, Exception reason)
    {
        string why = reason.HResult is NoSpace or NoQuota ? ": no space is left" : "";
        return new UserErrorException(ExitStatus.InputOutput, (path == StandardOutputPath ? "standard output cannot be written" : $"{option}: {path} cannot be written") + why);
    }
}
