using System.Buffers.Binary;
using Mmu86.X86;

namespace Mmu86.Lab.Personality;

/// <summary>Copies between a process and its personality, a page at a time, so that a copy ends exactly at the first byte that faults.</summary>
internal static class ProcessMemory
{
    /// <summary>The unit of copies in bytes.</summary>
    public const int ChunkBytes = 4096;

    /// <summary>How many bytes from an address on lie in its page, at most a given number.</summary>
    public static int InPage(ulong address, ulong length) => (int)Math.Min(length, ChunkBytes - (address & (ChunkBytes - 1)));

    /// <summary>Copies out a structure; it may cross pages.</summary>
    /// <returns>False where any byte faults or the range wraps around.</returns>
    public static bool TryReadAll(this IProcessMachine machine, ulong address, Span<byte> destination)
    {
        while (destination.Length > 0)
        {
            int length = InPage(address, (ulong)destination.Length);
            if (!machine.TryRead(new LinearAddress(address), destination[..length]))
                return false;
            destination = destination[length..];
            address = unchecked(address + (ulong)length);
            if (address == 0 && destination.Length > 0)
                return false;
        }

        return true;
    }

    /// <summary>Copies in a structure; it may cross pages. Where the result is false its first part may have been written, as a kernel does too.</summary>
    public static bool TryWriteAll(this IProcessMachine machine, ulong address, ReadOnlySpan<byte> source)
    {
        while (source.Length > 0)
        {
            int length = InPage(address, (ulong)source.Length);
            if (!machine.TryWrite(new LinearAddress(address), source[..length]))
                return false;
            source = source[length..];
            address = unchecked(address + (ulong)length);
            if (address == 0 && source.Length > 0)
                return false;
        }

        return true;
    }

    /// <summary>Copies in two quadwords: timespec, timeval and rlimit are that.</summary>
    public static bool TryWritePair(this IProcessMachine machine, ulong address, ulong first, ulong second)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, first);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], second);
        return machine.TryWriteAll(address, bytes);
    }
}
