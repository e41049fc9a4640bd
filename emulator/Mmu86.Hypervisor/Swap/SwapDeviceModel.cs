using Mmu86.Memory;

namespace Mmu86.Hypervisor.Swap;

/// <summary>When a device of given figures would be done: several operations at once, one link for their bytes, and a seek where an operation does not follow the one before.</summary>
public sealed class SwapDeviceModel : ISwapTiming, ISavedDevice
{
    private readonly SwapDeviceTimes _times;

    // When each place of the queue is free again.
    private readonly ulong[] _freeAt;
    private ulong _linkFreeAt;
    private ulong _head = ulong.MaxValue;

    /// <summary>Makes an idle device.</summary>
    /// <param name="times">Its figures.</param>
    /// <exception cref="ArgumentOutOfRangeException">The queue has no place.</exception>
    public SwapDeviceModel(SwapDeviceTimes times)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(times.QueueDepth, 1);
        _times = times;
        _freeAt = new ulong[times.QueueDepth];
    }

    /// <inheritdoc/>
    public ulong Complete(SwapOperation operation, ulong offset, int bytes, ulong now)
    {
        bool isRead = operation == SwapOperation.Read;
        int place = 0;
        for (int i = 1; i < _freeAt.Length; i++)
        {
            if (_freeAt[i] < _freeAt[place])
                place = i;
        }

        ulong start = Math.Max(now, _freeAt[place]);
        ulong access = (isRead ? _times.ReadNanoseconds : _times.WriteNanoseconds) + (offset == _head ? 0 : _times.SeekNanoseconds);
        ulong transfer = (((ulong)bytes * (isRead ? _times.ReadPicosecondsPerByte : _times.WritePicosecondsPerByte)) + 999) / 1000;

        // The link bounds how much is moved in all; it does not put operations in order, so a short one overtakes a long one.
        _linkFreeAt = Math.Max(_linkFreeAt, start) + transfer;
        ulong done = Math.Max(start + access + transfer, _linkFreeAt);
        _freeAt[place] = done;
        _head = offset + (ulong)bytes;
        return done;
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.WriteArray<ulong>(_freeAt);
        writer.Write(_linkFreeAt);
        writer.Write(_head);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        reader.ReadArray<ulong>("freeAt", _freeAt);
        _linkFreeAt = reader.ReadUInt64("linkFreeAt");
        _head = reader.ReadUInt64("head");
    }
}
