using Mmu86.Devices;
using Mmu86.Memory;

namespace Mmu86.Tests.Hypervisor.Balloon;

/// <summary>A disk that refuses everything while it is told to.</summary>
internal sealed class FailingStorage(ulong sizeInBytes) : IBlockStorage
{
    private readonly SparseDisk _disk = new(sizeInBytes);

    public bool Fails { get; set; }

    public ulong SizeInBytes => _disk.SizeInBytes;

    public bool TryRead(ulong offset, Span<byte> destination) => !Fails && _disk.TryRead(offset, destination);

    public bool TryWrite(ulong offset, ReadOnlySpan<byte> source) => !Fails && _disk.TryWrite(offset, source);

    public bool TryFlush() => !Fails;

    public void Save(StateWriter writer) => _disk.Save(writer);

    public void Load(StateReader reader) => _disk.Load(reader);
}
