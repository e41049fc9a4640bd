using Mmu86.Devices;
using Mmu86.Hypervisor.Snapshots;
using Mmu86.Hypervisor.Swap;

namespace Mmu86.Hypervisor;

/// <summary>A guest's disk: zeros at first, and what is written to it is in a file, so that it takes no room in our memory.</summary>
/// <remarks>
/// The file is made at the first write that has something to keep, and has no name from then on: however the process ends, nothing is left of it
/// (FileOptions.DeleteOnClose would leave it behind after SIGKILL). A page gets the next place in it when it is first written: the file is as long as what was written,
/// and is written from its start to its end, whatever the guest's order, which is several times as fast where it really goes to a disk. Used by one thread.
/// </remarks>
public sealed class GuestDisk : IBlockStorage, IDisposable
{
    private const int PageBytes = 4096;
    private const int PagesInGroup = 1024;

    private readonly string _folder;
    private FileStream? _file;

    // Places in the file by page, from 1 on; 0 for none: such a page is zeros and is never asked of the file. By groups, of which most are never needed.
    private uint[]?[] _places = [];
    private uint _placesUsed;

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
    public ulong PagesInFile => _placesUsed;

    /// <summary>Why the last operation failed that did, as the end of a sentence; null where none did.</summary>
    public string? LastFailure { get; private set; }

    private string NoRoom => $"the file system of {_folder}, or what this process may write, has no room left";

    /// <inheritdoc/>
    public bool TryRead(ulong offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            int length = RunOf(offset, destination.Length);
            if (PlaceOf(offset / PageBytes) == 0)
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
            // Zeros where there are zeros need no place.
            int length = PartOf(offset, source.Length);
            if (PlaceOf(offset / PageBytes) != 0 || source[..length].ContainsAnyExcept((byte)0))
            {
                if (!TryPlace(offset, source))
                    return false;
                length = RunOf(offset, source.Length);
                if (!TryWriteFile(offset, source[..length]))
                    return false;
            }

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
        for (int group = 0; group < _places.Length; group++)
        {
            for (int i = 0; i < _places[group]?.Length; i++)
            {
                ulong page = ((ulong)group * PagesInGroup) + (ulong)i;
                if (PlaceOf(page) == 0)
                    continue;
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
        if (page >= SizeInBytes / PageBytes || PlaceOf(page) != 0)
            return false;
        return TryWrite(page * PageBytes, bytes) ? true : throw new RestoredPageException($"page {page} of a guest's disk cannot be written: {LastFailure}");
    }

    /// <summary>Becomes the disk of a machine that moved away from another host, where it is in reach of both. The other one is empty then.</summary>
    /// <param name="other">A disk of the same size.</param>
    public void TakeOver(GuestDisk other)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(other.SizeInBytes, SizeInBytes);
        Dispose();
        (_file, _places, _placesUsed, LastFailure) = (other._file, other._places, other._placesUsed, other.LastFailure);
        (other._file, other._places, other._placesUsed) = (null, [], 0);
    }

    /// <summary>Closes the file, of which nothing is left then. The disk is empty.</summary>
    public void Dispose()
    {
        _file?.Dispose();
        _file = null;
        _places = [];
        _placesUsed = 0;
    }

    private static int PartOf(ulong offset, int length) => Math.Min(length, PageBytes - (int)(offset % PageBytes));

    private uint PlaceOf(ulong page) => _places.Length != 0 && _places[page / PagesInGroup] is { } group ? group[page % PagesInGroup] : 0;

    private long PositionOf(ulong offset) => ((PlaceOf(offset / PageBytes) - 1L) * PageBytes) + (long)(offset % PageBytes);

    // As far as it goes on in the file without a gap, or as far as nothing of it is there.
    private int RunOf(ulong offset, int most)
    {
        uint first = PlaceOf(offset / PageBytes);
        int length = PartOf(offset, most);
        for (uint pages = 1; length < most && PlaceOf((offset + (ulong)length) / PageBytes) == (first == 0 ? 0 : first + pages); pages++)
            length += PartOf(offset + (ulong)length, most - length);
        return length;
    }

    // Gives places to the pages from an offset on that have none and are to have bytes.
    private bool TryPlace(ulong offset, ReadOnlySpan<byte> source)
    {
        if (_file is null && !TryCreate())
            return false;
        while (!source.IsEmpty)
        {
            int length = PartOf(offset, source.Length);
            ulong page = offset / PageBytes;
            if (PlaceOf(page) == 0)
            {
                if (!source[..length].ContainsAnyExcept((byte)0))
                    return true;
                (_places[page / PagesInGroup] ??= new uint[PagesInGroup])[page % PagesInGroup] = ++_placesUsed;
            }

            source = source[length..];
            offset += (ulong)length;
        }

        return true;
    }

    private bool TryReadFile(ulong offset, Span<byte> destination)
    {
        try
        {
            long position = PositionOf(offset);
            while (!destination.IsEmpty)
            {
                int count = RandomAccess.Read(_file!.SafeFileHandle, destination, position);
                if (count == 0)
                {
                    // Behind the end: the rest of a page of which a part was written.
                    destination.Clear();
                    break;
                }

                destination = destination[count..];
                position += count;
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
            RandomAccess.Write(_file!.SafeFileHandle, source, PositionOf(offset));
            return true;
        }
        catch (Exception exception) when (SwapFile.IsOfTheSystem(exception))
        {
            LastFailure = SwapFile.IsFull(exception) ? NoRoom : "its file cannot be written";
            return false;
        }
    }

    private bool TryCreate()
    {
        string path = Path.Combine(_folder, $".mmu86-{Environment.ProcessId}-{Guid.NewGuid():n}.disk");
        var how = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.ReadWrite, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
            how.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        FileStream? file = null;
        try
        {
            file = new FileStream(path, how);
            File.Delete(path);
        }
        catch (Exception exception) when (SwapFile.IsOfTheSystem(exception))
        {
            file?.Dispose();
            LastFailure = SwapFile.IsFull(exception) ? NoRoom : $"no file can be made in {_folder}";
            return false;
        }

        _file = file;
        _places = new uint[]?[((SizeInBytes / PageBytes) + PagesInGroup - 1) / PagesInGroup];
        return true;
    }
}
