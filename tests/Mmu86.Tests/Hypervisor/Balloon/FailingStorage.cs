using Mmu86.Devices;
using Mmu86.Hypervisor;

namespace Mmu86.Tests.Hypervisor.Balloon;

/// <summary>A disk that refuses everything while it is told to.</summary>
internal sealed class FailingStorage(ulong sizeInBytes) : IBlockStorage, IDisposable
{
    private readonly GuestDisk _disk = new(sizeInBytes, Path.GetTempPath());

    public bool Fails { get; set; }

    public ulong SizeInBytes => _disk.SizeInBytes;

    public bool TryRead(ulong offset, Span<byte> destination) => !Fails && _disk.TryRead(offset, destination);

    public bool TryWrite(ulong offset, ReadOnlySpan<byte> source) => !Fails && _disk.TryWrite(offset, source);

    public bool TryFlush() => !Fails;

    public void Dispose() => _disk.Dispose();
}
