using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Snapshots;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Swap;

/// <summary>The swap space of a host: its machines' stores, and what it takes of the host's own memory.</summary>
/// <remarks>Compressed pages, and pages whose write failed, are bytes in the host's RAM: frames are taken for them, as for a machine.</remarks>
public sealed class HostSwap : IDisposable
{
    private const string Section = "swap";

    private readonly SwapSpace _space;
    private readonly MachineFrames _frames;

    /// <summary>Makes the swap of a host.</summary>
    /// <param name="host">The host.</param>
    /// <param name="space">The space; disposed with this.</param>
    public HostSwap(VirtualHost host, SwapSpace space)
    {
        _space = space;
        _frames = new MachineFrames(host.Frames, host.NewOwner());
    }

    /// <summary>Frames of the host that swapped pages take.</summary>
    public int FramesUsed => _frames.Reserved;

    /// <summary>The sum over all machines, as of now.</summary>
    public SwapCounts Counts => _space.SumCounts();

    /// <summary>How the last write that did not go well ended; <see cref="SwapStatus.Done"/> where all did.</summary>
    public SwapStatus LastWriteFailure => _space.LastWriteFailure;

    /// <summary>The store of a machine.</summary>
    /// <param name="machine">Its number; no two machines have the same.</param>
    public SwapPageStore StoreOf(int machine) => new(_space, machine);

    /// <summary>The work of a barrier: gathered pages go to the device, and the host's frames are those that the pages in memory need.</summary>
    /// <param name="now">Virtual nanoseconds.</param>
    public void Settle(ulong now)
    {
        _space.Flush(now);

        // What cannot be had now is taken as soon as something is free: the pages are in memory already.
        _ = _frames.TryReserve((int)((_space.MemoryBytes + 4095) >> 12));
    }

    /// <summary>Writes the section <c>swap</c>: everything but the bytes of pages on the device and in the pool.</summary>
    internal void Save(StateWriter writer)
    {
        writer.Begin(Section);
        _space.Save(writer);
        _frames.SaveReserve(writer);
        writer.End();
    }

    /// <summary>Writes the bytes that are on the device, then those in the pool.</summary>
    /// <exception cref="IOException">A page cannot be read.</exception>
    internal void SavePages(SnapshotWriter writer)
    {
        _space.SavePages(new PageSectionWriter(writer, SnapshotFormat.SwapPages));
        PoolSection.Write(writer, _space);
    }

    /// <summary>Reads the section back into an empty space. Then come the pages, then the frames.</summary>
    internal void Load(StateReader reader)
    {
        reader.Open(Section);
        _space.Load(reader);
        _frames.LoadReserve(reader);
        reader.Close();
    }

    /// <summary>Puts the bytes of a slot on the device.</summary>
    /// <returns>False where the slot has none there.</returns>
    /// <exception cref="RestoredPageException">They cannot be written.</exception>
    internal bool TryLoadPage(ulong slot, ReadOnlySpan<byte> bytes) => _space.TryLoadPage(slot, bytes);

    /// <summary>Puts the pages of a section into the pool.</summary>
    internal void LoadPool(in StateSection section) => PoolSection.Load(section, _space);

    /// <summary>Refuses a state in which a slot has no bytes.</summary>
    /// <exception cref="StateFormatException">There is one.</exception>
    internal void RequireAllPages()
    {
        if (!_space.HasAllPages)
            throw new StateFormatException($"section '{SnapshotFormat.SwapPages}', field 'frame': lacks a slot that is on the device");
        if (!_space.HasAllPooledPages)
            throw new StateFormatException($"section '{SnapshotFormat.PooledPages}', field 'pooledSlot': lacks a slot that is in the pool");
    }

    /// <summary>Takes the frames that it had.</summary>
    internal bool TryClaimFrames() => _frames.TryClaimReserve();

    /// <summary>Ends the writes and removes the file.</summary>
    public void Dispose() => _space.Dispose();
}
