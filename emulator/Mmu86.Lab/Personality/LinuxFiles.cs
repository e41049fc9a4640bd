using System.Buffers.Binary;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Lab.Personality;

/// <summary>The three descriptors that a process starts with: an input that is empty and two pipes out. There are no files.</summary>
/// <param name="output">Where descriptor 1 goes.</param>
/// <param name="error">Where descriptor 2 goes.</param>
internal sealed class LinuxFiles(Stream output, Stream error)
{
    // The most that one call transfers: MAX_RW_COUNT of the kernel.
    private const ulong MaximumTransferBytes = 0x7FFF_F000;
    private const ulong MaximumVectors = 1024;
    private const int VectorBytes = 16;

    private const int StatBytes = 144;
    private const int StatLinksOffset = 16;
    private const int StatModeOffset = 24;
    private const int StatUserOffset = 28;
    private const int StatGroupOffset = 32;
    private const int StatBlockSizeOffset = 56;
    private const uint PipeMode = 0x1000 | 0x180; // S_IFIFO, owner may read and write

    private readonly bool[] _isOpen = [true, true, true];

    /// <summary>read: the input is at its end.</summary>
    public long Read(ulong descriptor) => IsOpen(descriptor) && (uint)descriptor == 0 ? 0 : Fail(Errno.BadDescriptor);

    /// <summary>write.</summary>
    public long Write(ulong descriptor, ulong buffer, ulong length, IProcessMachine machine)
    {
        if (SinkOf(descriptor) is not { } sink)
            return Fail(Errno.BadDescriptor);
        length = Math.Min(length, MaximumTransferBytes);
        ulong written = Copy(sink, buffer, length, machine);
        return written == 0 && length > 0 ? Fail(Errno.BadAddress) : (long)written;
    }

    /// <summary>writev.</summary>
    public long WriteVector(ulong descriptor, ulong vectors, ulong count, IProcessMachine machine)
    {
        if (SinkOf(descriptor) is not { } sink)
            return Fail(Errno.BadDescriptor);
        if (count > MaximumVectors)
            return Fail(Errno.Invalid);
        byte[] bytes = new byte[(int)count * VectorBytes];
        if (!machine.TryReadAll(vectors, bytes))
            return Fail(Errno.BadAddress);

        ulong total = 0;
        for (int i = 0; i < bytes.Length; i += VectorBytes)
        {
            ulong length = BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(i + 8));
            if (length > long.MaxValue || total + length > long.MaxValue)
                return Fail(Errno.Invalid);
            total += length;
        }

        ulong written = 0;
        for (int i = 0; i < bytes.Length && written < MaximumTransferBytes; i += VectorBytes)
        {
            ulong buffer = BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(i));
            ulong length = Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(i + 8)), MaximumTransferBytes - written);
            ulong part = Copy(sink, buffer, length, machine);
            written += part;
            if (part < length)
                return written == 0 ? Fail(Errno.BadAddress) : (long)written;
        }

        return (long)written;
    }

    /// <summary>close.</summary>
    public long Close(ulong descriptor)
    {
        if (!IsOpen(descriptor))
            return Fail(Errno.BadDescriptor);
        _isOpen[(uint)descriptor] = false;
        return 0;
    }

    /// <summary>Writes which descriptors are open.</summary>
    public void Save(StateWriter writer)
    {
        foreach (bool isOpen in _isOpen)
            writer.Write(isOpen);
    }

    /// <summary>Reads it back.</summary>
    public void Load(StateReader reader)
    {
        for (int descriptor = 0; descriptor < _isOpen.Length; descriptor++)
            _isOpen[descriptor] = reader.ReadBoolean("open");
    }

    /// <summary>lseek: pipes cannot.</summary>
    public long Seek(ulong descriptor) => Fail(IsOpen(descriptor) ? Errno.IllegalSeek : Errno.BadDescriptor);

    /// <summary>ioctl: none of the three is a terminal, and nothing else of them can be controlled.</summary>
    public long Control(ulong descriptor) => Fail(IsOpen(descriptor) ? Errno.NotATerminal : Errno.BadDescriptor);

    /// <summary>fstat: a pipe.</summary>
    public long Status(ulong descriptor, ulong buffer, IProcessMachine machine)
    {
        if (!IsOpen(descriptor))
            return Fail(Errno.BadDescriptor);
        Span<byte> stat = stackalloc byte[StatBytes];
        stat.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(stat[StatLinksOffset..], 1);
        BinaryPrimitives.WriteUInt32LittleEndian(stat[StatModeOffset..], PipeMode);
        BinaryPrimitives.WriteUInt32LittleEndian(stat[StatUserOffset..], LinuxPersonality.UserId);
        BinaryPrimitives.WriteUInt32LittleEndian(stat[StatGroupOffset..], LinuxPersonality.UserId);
        BinaryPrimitives.WriteUInt64LittleEndian(stat[StatBlockSizeOffset..], 4096);
        return machine.TryWriteAll(buffer, stat) ? 0 : Fail(Errno.BadAddress);
    }

    /// <summary>Whether a descriptor is one of the three and was not closed. Descriptors are 32 bits wide, whatever the register holds above.</summary>
    public bool IsOpen(ulong descriptor) => (uint)descriptor < (uint)_isOpen.Length && _isOpen[(uint)descriptor];

    private Stream? SinkOf(ulong descriptor) => !IsOpen(descriptor) ? null : (uint)descriptor switch
    {
        1 => output,
        2 => error,
        _ => null,
    };

    // Copies to the sink until the end or the first page that faults.
    private static ulong Copy(Stream sink, ulong buffer, ulong length, IProcessMachine machine)
    {
        Span<byte> chunk = stackalloc byte[ProcessMemory.ChunkBytes];
        ulong done = 0;
        while (done < length)
        {
            ulong address = unchecked(buffer + done);
            int part = ProcessMemory.InPage(address, length - done);
            if (address < buffer || !machine.TryRead(new LinearAddress(address), chunk[..part]))
                break;
            sink.Write(chunk[..part]);
            done += (ulong)part;
        }

        return done;
    }

    private static long Fail(Errno error) => -(long)error;
}
