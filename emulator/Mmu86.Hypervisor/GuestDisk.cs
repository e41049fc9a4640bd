using System.Numerics;
using Mmu86.Devices;
using Mmu86.Hypervisor.Snapshots;
using Mmu86.Hypervisor.Swap;

namespace Mmu86.Hypervisor;

/// <summary>A guest's disk: zeros at first, and what is written to it is in a file, so that it takes no room in our memory.</summary>
/// <remarks>
/// The file is made at the first write that has something to keep, and has no name from then on: however the process ends, nothing is left of it
/// (FileOptions.DeleteOnClose would leave it behind after SIGKILL). Page n is at its own place; the file has holes where nothing was written. Used by one thread.
/// </remarks>
public sealed class GuestDisk : IBlockStorage, IDisposable
{
    private const int PageBytes = 4096;
    private const int PagesInWord = 64;

    private readonly string _folder;
    private FileStream? _file;

    // A bit for each page that the file has; made with it. What it has not is zeros and is never asked of the file.
    private ulong[] _inFile = [];

    /// <summary>Makes an empty disk, and no file.</summary>
    /// <param name="sizeInBytes">A multiple of 4096.</param>
    /// <param name="folder">Where the file will be.</param>
    public GuestDisk(ulong sizeInBytes, string folder)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(sizeInBytes % PageBytes, 0UL);
        SizeInBytes = sizeInBytes;
        _folder = folder;
    }

    /// <inheritdoc/>
    public ulong SizeInBytes { get; }

    /// <summary>Pages of 4096 bytes that are in the file. A page that becomes zeros keeps its room.</summary>
    public ulong PagesInFile { get; private set; }

    /// <summary>Why the last operation failed that did, as the end of a sentence; null where none did.</summary>
    public string? LastFailure { get; private set; }

    /// <inheritdoc/>
    public bool TryRead(ulong offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            bool isInFile = IsInFile(offset / PageBytes);
            int length = PartOf(offset, destination.Length);
            while (length < destination.Length && IsInFile((offset + (ulong)length) / PageBytes) == isInFile)
                length += PartOf(offset + (ulong)length, destination.Length - length);
            if (!isInFile)
                destination[..length].Clear();
            else if (!TryReadFile(offset, destination[..length]))
                return false;
            destination = destination[length..];
            offset += (ulong)length;
        }

        return true;
    }

    /// <inheritdoc/>
    public bool TryWrite(ulong offset, ReadOnlySpan<byte> source)
    {
        while (!source.IsEmpty)
        {
            bool isKept = IsKept(offset, source);
            int length = PartOf(offset, source.Length);
            while (length < source.Length && IsKept(offset + (ulong)length, source[length..]) == isKept)
                length += PartOf(offset + (ulong)length, source.Length - length);
            if (isKept && !TryWriteFile(offset, source[..length]))
                return false;
            source = source[length..];
            offset += (ulong)length;
        }

        return true;
    }

    /// <inheritdoc/>
    /// <remarks>Nothing of it is to outlive the process, so there is nothing to wait for.</remarks>
    public bool TryFlush() => true;

    /// <summary>Writes what is on the disk, page by page, without those of zeros.</summary>
    /// <exception cref="IOException">A page cannot be read.</exception>
    internal void SavePages(PageSectionWriter pages)
    {
        byte[] bytes = new byte[PageBytes];
        for (int word = 0; word < _inFile.Length; word++)
        {
            for (ulong left = _inFile[word]; left != 0; left &= left - 1)
            {
                ulong page = ((ulong)word * PagesInWord) + (ulong)BitOperations.TrailingZeroCount(left);
                if (!TryReadFile(page * PageBytes, bytes))
                    throw new IOException($"page {page} of a guest's disk cannot be read: {LastFailure}");
                pages.Add(page, bytes);
            }
        }

        pages.Flush();
    }

    /// <summary>Puts a page on an empty disk.</summary>
    /// <returns>False where there is no such page, or it is there already.</returns>
    /// <exception cref="RestoredPageException">It cannot be written.</exception>
    internal bool TryLoadPage(ulong page, ReadOnlySpan<byte> bytes)
    {
        if (page >= SizeInBytes / PageBytes || IsInFile(page))
            return false;
        return TryWriteFile(page * PageBytes, bytes) ? true : throw new RestoredPageException($"page {page} of a guest's disk cannot be written: {LastFailure}");
    }

    /// <summary>Becomes the disk of a machine that moved away from another host, where it is in reach of both. The other one is empty then.</summary>
    /// <param name="other">A disk of the same size.</param>
    public void TakeOver(GuestDisk other)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(other.SizeInBytes, SizeInBytes);
        Dispose();
        (_file, _inFile, PagesInFile, LastFailure) = (other._file, other._inFile, other.PagesInFile, other.LastFailure);
        (other._file, other._inFile, other.PagesInFile) = (null, [], 0);
    }

    /// <summary>Closes the file, of which nothing is left then. The disk is empty.</summary>
    public void Dispose()
    {
        _file?.Dispose();
        _file = null;
        _inFile = [];
        PagesInFile = 0;
    }

    private static int PartOf(ulong offset, int length) => Math.Min(length, PageBytes - (int)(offset % PageBytes));

    private bool IsInFile(ulong page) => _inFile.Length != 0 && (_inFile[page / PagesInWord] >> (int)(page % PagesInWord) & 1) != 0;

    // Zeros where there are zeros need no place.
    private bool IsKept(ulong offset, ReadOnlySpan<byte> source) =>
        IsInFile(offset / PageBytes) || source[..PartOf(offset, source.Length)].ContainsAnyExcept((byte)0);

    private bool TryReadFile(ulong offset, Span<byte> destination)
    {
        try
        {
            while (!destination.IsEmpty)
            {
                int count = RandomAccess.Read(_file!.SafeFileHandle, destination, (long)offset);
                if (count == 0)
                {
                    // Behind the end: the rest of a page of which a part was written.
                    destination.Clear();
                    break;
                }

                destination = destination[count..];
                offset += (ulong)count;
            }

            return true;
        }
        catch (Exception exception) when (SwapFile.IsOfTheSystem(exception))
        {
            LastFailure = "its file cannot be read";
            return false;
        }
    }

    private bool TryWriteFile(ulong offset, ReadOnlySpan<byte> source)
    {
        try
        {
            if (_file is null)
                Create();

            // Before the bytes are there: what a failed write has left is not to appear later, beside other bytes of the page.
            for (ulong page = offset / PageBytes; page <= (offset + (ulong)source.Length - 1) / PageBytes; page++)
                Note(page);
            RandomAccess.Write(_file!.SafeFileHandle, source, (long)offset);
            return true;
        }
        catch (Exception exception) when (SwapFile.IsOfTheSystem(exception))
        {
            LastFailure = SwapFile.IsFull(exception) ? $"the file system of {_folder}, or what this process may write, has no room left"
                : _file is null ? $"no file can be made in {_folder}"
                : "its file cannot be written";
            return false;
        }
    }

    private void Create()
    {
        string path = Path.Combine(_folder, $".mmu86-{Environment.ProcessId}-{Guid.NewGuid():n}.disk");
        var how = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
            how.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var file = new FileStream(path, how);
        try
        {
            File.Delete(path);
        }
        catch
        {
            file.Dispose();
            throw;
        }

        _file = file;
        _inFile = new ulong[(SizeInBytes / PageBytes + PagesInWord - 1) / PagesInWord];
    }

    private void Note(ulong page)
    {
        if (IsInFile(page))
            return;
        _inFile[page / PagesInWord] |= 1UL << (int)(page % PagesInWord);
        PagesInFile++;
    }
}
