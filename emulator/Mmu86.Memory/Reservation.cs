using System.Runtime.InteropServices;

namespace Mmu86.Memory;

/// <summary>Zeroed memory reserved from the operating system and touched lazily.</summary>
public sealed unsafe partial class Reservation : IDisposable
{
    private const int ReadWrite = 1 | 2;                       // PROT_READ | PROT_WRITE
    private const int PrivateAnonymousNoReserve = 0x2 | 0x20 | 0x4000; // MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    private const int AdviseHugePage = 14;                     // MADV_HUGEPAGE
    private const int AdviseUnneeded = 4;                      // MADV_DONTNEED

    private readonly nuint _length;
    private void* _pointer;

    /// <summary>Reserves <paramref name="length"/> bytes.</summary>
    /// <exception cref="OutOfMemoryException">The operating system refused.</exception>
    public Reservation(ulong length)
    {
        _length = checked((nuint)length);
        _pointer = Map(null, _length, ReadWrite, PrivateAnonymousNoReserve, -1, 0);
        if (_pointer == (void*)-1)
        {
            _pointer = null;
            throw new OutOfMemoryException($"The operating system refused to reserve {length} bytes of address space.");
        }
    }

    /// <summary>Frees a reservation that nobody disposed.</summary>
    ~Reservation() => Release();

    /// <summary>The first byte. Never null before <see cref="Dispose"/>.</summary>
    internal byte* Pointer => (byte*)_pointer;

    /// <summary>Asks for huge pages of the real machine: fewer real TLB misses where memory is used densely.</summary>
    public void PreferHugePages() => _ = Advise(_pointer, _length, AdviseHugePage);

    /// <summary>Every byte is zero again. Costs what was touched.</summary>
    public void Forget()
    {
        if (Advise(_pointer, _length, AdviseUnneeded) != 0)
            throw new InvalidOperationException("The operating system would not take memory back.");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    private void Release()
    {
        if (_pointer == null)
            return;
        _ = Unmap(_pointer, _length);
        _pointer = null;
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial void* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(void* address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise", SetLastError = true)]
    private static partial int Advise(void* address, nuint length, int advice);
}
