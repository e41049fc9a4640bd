using System.Text;

namespace Mmu86.Hypervisor.Swap;

/// <summary>Makes the file of a <see cref="FileSwapDevice"/>: locked, for its owner's eyes only, never in place of somebody's data.</summary>
internal static class SwapFile
{
    /// <summary>Bytes before the first slot: the page that says what the file is.</summary>
    public const int HeaderBytes = SwapSlot.SizeInBytes;

    /// <summary>The most bytes for slots: a slot's number has 32 bits.</summary>
    public const ulong MaximumBytes = (ulong)int.MaxValue * SwapSlot.SizeInBytes;

    // EAGAIN of flock, ENOSPC and EDQUOT: .NET hands errno on as HResult.
    private const int WouldBlock = 11;
    private const int NoSpace = 28;
    private const int QuotaExceeded = 122;

    private static readonly byte[] s_signature = Encoding.ASCII.GetBytes("Mmu86 swap file\n");

    /// <summary>Makes the file, in place of one that a killed process left behind.</summary>
    /// <returns>The open file; its lock is held until it is closed.</returns>
    /// <exception cref="SwapFileException">It cannot be made, with the reason.</exception>
    public static FileStream Create(SwapFileOptions options)
    {
        if (string.IsNullOrWhiteSpace(options.Path))
            throw new SwapFileException("swap.file: the path is empty.");
        if (options.Path.Contains('\0', StringComparison.Ordinal))
            throw new SwapFileException("swap.file: the path has a null character.");
        if (options.SizeInBytes is < SwapSlot.SizeInBytes or > MaximumBytes)
            throw new SwapFileException($"swap.size: {options.SizeInBytes} bytes; it must be at least {SwapSlot.SizeInBytes} and at most {MaximumBytes}.");
        string path = Path.GetFullPath(options.Path);
        if (Directory.Exists(path))
            throw new SwapFileException($"swap.file: '{options.Path}' is a directory.");
        if (Path.GetDirectoryName(path) is { } folder && !Directory.Exists(folder))
            throw new SwapFileException($"swap.file: the directory of '{options.Path}' does not exist.");
        try
        {
            RemoveLeftover(path, options.Path);
            return CreateNew(path, options);
        }
        catch (Exception exception) when (IsOfTheSystem(exception))
        {
            string why = IsFull(exception) ? "its disk, or what this process may write, has no room for it." : exception.Message;
            throw new SwapFileException($"swap.file: '{options.Path}' cannot be made: {why}", exception);
        }
    }

    /// <summary>Whether an exception of an operation on the file is what the operating system answered.</summary>
    /// <remarks>EFBIG (RLIMIT_FSIZE, or more than the file system can hold) comes as an argument that is out of range; there are no others here.</remarks>
    public static bool IsOfTheSystem(Exception exception) => exception is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException;

    /// <summary>Whether such an exception means that there is no room.</summary>
    public static bool IsFull(Exception exception) => exception is ArgumentOutOfRangeException || exception.HResult is NoSpace or QuotaExceeded;

    private static FileStream CreateNew(string path, SwapFileOptions options)
    {
        // CreateNew follows no link and takes over no file that somebody put there in between.
        long length = HeaderBytes + (long)options.SizeInBytes;
        var how = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            BufferSize = 0,
            PreallocationSize = options.Allocation == SwapFileAllocation.Preallocated ? length : 0,
        };
        if (!OperatingSystem.IsWindows())
            how.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var file = new FileStream(path, how);
        try
        {
            RandomAccess.Write(file.SafeFileHandle, s_signature, 0);

            // Room is one thing, length another: .NET preallocates the former alone.
            if (options.Allocation == SwapFileAllocation.Preallocated)
                file.SetLength(length);
            return file;
        }
        catch
        {
            File.Delete(path);
            file.Dispose();
            throw;
        }
    }

    // Only what carries our signature and is locked by nobody is removed. What is shorter is not even opened: it may be a device or a pipe.
    private static void RemoveLeftover(string path, string name)
    {
        var there = new FileInfo(path);
        if (there.LinkTarget is not null)
            throw new SwapFileException($"swap.file: '{name}' is a symbolic link.");
        if (!there.Exists)
            return;
        if (there.Length < s_signature.Length)
            throw ForeignFile(name);
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            Span<byte> start = stackalloc byte[s_signature.Length];
            if (RandomAccess.Read(file.SafeFileHandle, start, 0) != start.Length || !start.SequenceEqual(s_signature))
                throw ForeignFile(name);
            File.Delete(path);
        }
        catch (IOException exception) when (exception.HResult == WouldBlock)
        {
            throw new SwapFileException($"swap.file: '{name}' is in use by another process.");
        }
    }

    private static SwapFileException ForeignFile(string name) =>
        new($"swap.file: '{name}' exists and is not a swap file of Mmu86; remove it or name another.");
}
