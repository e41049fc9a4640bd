using System.Runtime.InteropServices;

namespace Mmu86.Bench.Silicon;

/// <summary>Memory of this process in pages of a chosen size.</summary>
internal sealed unsafe class NativePages : IDisposable
{
    /// <summary>2 MiB.</summary>
    public const ulong HugePage = 1UL << 21;

    private const int ReadWrite = 3, ReadExecute = 5, PrivateAnonymous = 0x22, AdviseHuge = 14, AdviseNotHuge = 15;

    private readonly nint _mapping;
    private readonly nuint _mapped;
    private readonly nuint _bytes;

    /// <summary>Maps zeros.</summary>
    /// <param name="bytes">The size.</param>
    /// <param name="isHuge">Whether the kernel is asked for pages of 2 MiB; otherwise it is asked for pages of 4 KiB.</param>
    /// <exception cref="MeasurementException">The kernel refuses.</exception>
    public NativePages(ulong bytes, bool isHuge)
    {
        _bytes = (nuint)bytes;
        _mapped = (nuint)(bytes + HugePage);
        _mapping = Map(0, _mapped, ReadWrite, PrivateAnonymous, -1, 0);
        if (_mapping == -1)
            throw new MeasurementException($"{bytes >> 20} MiB cannot be had.");
        Start = (byte*)(((ulong)_mapping + HugePage - 1) & ~(HugePage - 1));
        if (Advise((nint)Start, _bytes, isHuge ? AdviseHuge : AdviseNotHuge) != 0)
            throw new MeasurementException("The kernel does not let a process choose the size of its pages.");
    }

    /// <summary>The first byte, a multiple of 2 MiB.</summary>
    public byte* Start { get; }

    /// <summary>Makes all of it executable and no longer writable.</summary>
    public void MakeExecutable()
    {
        if (Protect((nint)Start, _bytes, ReadExecute) != 0)
            throw new MeasurementException("The kernel does not let a process execute what it wrote.");
    }

    /// <inheritdoc/>
    public void Dispose() => Unmap(_mapping, _mapped);

    [DllImport("libc", EntryPoint = "mmap")]
    private static extern nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [DllImport("libc", EntryPoint = "munmap")]
    private static extern int Unmap(nint address, nuint length);

    [DllImport("libc", EntryPoint = "madvise")]
    private static extern int Advise(nint address, nuint length, int advice);

    [DllImport("libc", EntryPoint = "mprotect")]
    private static extern int Protect(nint address, nuint length, int protection);
}
