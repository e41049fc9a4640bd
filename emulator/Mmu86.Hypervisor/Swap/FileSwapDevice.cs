using Microsoft.Win32.SafeHandles;

namespace Mmu86.Hypervisor.Swap;

/// <summary>A swap device in a file. Writes are made in order by a thread of its own, from a queue of bounded length; reads at once.</summary>
/// <remarks>The file can be read and written by its owner only, is locked while it is open, and is removed at the end. Nothing in it outlives the process: swap is volatile.</remarks>
public sealed class FileSwapDevice : ISwapDevice
{
    private readonly FileStream _file;
    private readonly SafeFileHandle _handle;
    private readonly int _queuedWrites;
    private readonly Thread _writer;

    // Guards all below.
    private readonly object _gate = new();
    private readonly Queue<(long Ticket, ulong Offset, ReadOnlyMemory<byte> Source)> _queue = [];
    private readonly Dictionary<long, SwapStatus> _finished = [];
    private long _tickets;
    private bool _isClosing;

    /// <summary>Makes the file, in place of one that a killed process left behind.</summary>
    /// <param name="options">Which file.</param>
    /// <exception cref="SwapFileException">It cannot be made, with the reason and the field.</exception>
    public FileSwapDevice(SwapFileOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.QueuedWrites, 1);
        _file = SwapFile.Create(options);
        _handle = _file.SafeFileHandle;
        _queuedWrites = options.QueuedWrites;
        SizeInBytes = options.SizeInBytes & ~((ulong)SwapSlot.SizeInBytes - 1);
        _writer = new Thread(WriteQueued) { IsBackground = true, Name = "swap writer" };
        _writer.Start();
    }

    /// <inheritdoc/>
    public ulong SizeInBytes { get; }

    /// <inheritdoc/>
    public SwapStatus Read(ulong offset, Span<byte> destination)
    {
        Check(offset, destination.Length);
        long position = (long)offset + SwapFile.HeaderBytes;
        try
        {
            while (destination.Length != 0)
            {
                int count = RandomAccess.Read(_handle, destination, position);
                if (count == 0)
                    return SwapStatus.ShortRead;
                destination = destination[count..];
                position += count;
            }

            return SwapStatus.Done;
        }
        catch (Exception exception) when (SwapFile.IsOfTheSystem(exception))
        {
            return SwapStatus.ReadFailed;
        }
    }

    /// <inheritdoc/>
    public long BeginWrite(ulong offset, ReadOnlyMemory<byte> source)
    {
        Check(offset, source.Length);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isClosing, this);
            while (_queue.Count == _queuedWrites)
                Monitor.Wait(_gate);
            _queue.Enqueue((_tickets, offset, source));
            Monitor.PulseAll(_gate);
            return _tickets++;
        }
    }

    /// <inheritdoc/>
    public SwapStatus FinishWrite(long ticket)
    {
        lock (_gate)
        {
            SwapStatus status;
            while (!_finished.Remove(ticket, out status))
                Monitor.Wait(_gate);
            return status;
        }
    }

    /// <summary>Waits for the writes that were begun, and removes the file.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_isClosing)
                return;
            _isClosing = true;
            Monitor.PulseAll(_gate);
        }

        _writer.Join();

        // While the lock is still held: nobody can have taken the file for a leftover.
        File.Delete(_file.Name);
        _file.Dispose();
    }

    private void WriteQueued()
    {
        while (true)
        {
            (long Ticket, ulong Offset, ReadOnlyMemory<byte> Source) write;
            lock (_gate)
            {
                while (_queue.Count == 0)
                {
                    if (_isClosing)
                        return;
                    Monitor.Wait(_gate);
                }

                write = _queue.Dequeue();
                Monitor.PulseAll(_gate);
            }

            SwapStatus status = Write(write.Offset, write.Source.Span);
            lock (_gate)
            {
                _finished.Add(write.Ticket, status);
                Monitor.PulseAll(_gate);
            }
        }
    }

    private SwapStatus Write(ulong offset, ReadOnlySpan<byte> source)
    {
        try
        {
            RandomAccess.Write(_handle, source, (long)offset + SwapFile.HeaderBytes);
            return SwapStatus.Done;
        }
        catch (Exception exception) when (SwapFile.IsOfTheSystem(exception))
        {
            return SwapFile.IsFull(exception) ? SwapStatus.DeviceFull : SwapStatus.WriteFailed;
        }
    }

    private void Check(ulong offset, int bytes)
    {
        if (offset > SizeInBytes || (ulong)bytes > SizeInBytes - offset)
            throw new ArgumentOutOfRangeException(nameof(offset), offset, "The bytes lie beyond the device.");
    }
}
