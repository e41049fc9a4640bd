using System.Runtime.InteropServices;

namespace Mmu86.Cli.CommandLine;

/// <summary>An output of this process by its number, as write(2) has it. Made before the process opens files of its own.</summary>
/// <remarks>The console's own streams say nothing where a pipe has lost its reader, so that <c>mmu86 inspect ... | head</c> would go on for hours.</remarks>
/// <param name="descriptor">1 for standard output, 2 for standard error.</param>
internal sealed class DescriptorStream(int descriptor) : Stream
{
    // errno of Linux.
    private const int Interrupted = 4;
    private const int WouldBlock = 11;

    private const short Writable = 4; // POLLOUT

    private const int GetDescriptorFlags = 1; // F_GETFD
    private const int CloseOnExec = 1; // FD_CLOEXEC

    // Where this process was started with the descriptor closed (2>&-), the runtime's own files take its number, and a byte written to one of its
    // pipes ends the process. They close on exec; what a process is given cannot.
    private readonly bool _isGiven = ReadFlags(descriptor, GetDescriptorFlags) is var flags and >= 0 && (flags & CloseOnExec) == 0;

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Writes all bytes, and waits where the reader is slow.</summary>
    /// <exception cref="IOException">They cannot be written: nobody reads, the device is full, there is no such output.</exception>
    public override void Write(ReadOnlySpan<byte> bytes)
    {
        if (!_isGiven)
            throw Failed();
        while (bytes.Length > 0)
        {
            nint written = WriteBytes(descriptor, in MemoryMarshal.GetReference(bytes), bytes.Length);
            if (written >= 0)
            {
                bytes = bytes[(int)written..];
                continue;
            }

            int error = Marshal.GetLastPInvokeError();
            if (error == WouldBlock)
            {
                var request = new PollRequest { Descriptor = descriptor, Events = Writable };
                Poll(ref request, 1, -1);
            }
            else if (error != Interrupted)
            {
                throw Failed();
            }
        }
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <summary>Nothing waits here.</summary>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    private IOException Failed() => new($"{(descriptor == 1 ? "standard output" : "standard error")} cannot be written");

    [DllImport("libc", EntryPoint = "fcntl")]
    private static extern int ReadFlags(int descriptor, int command);

    [DllImport("libc", EntryPoint = "write", SetLastError = true)]
    private static extern nint WriteBytes(int descriptor, in byte first, nint count);

    [DllImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static extern int Poll(ref PollRequest request, nuint count, int milliseconds);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollRequest
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }
}
