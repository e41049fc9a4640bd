using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>Says when a disk has done what it was asked, in simulated time. It depends on what it was asked and nothing else.</summary>
public interface IBlockTiming : ISavedDevice
{
    /// <summary>Takes one operation.</summary>
    /// <param name="operation">What is done.</param>
    /// <param name="offset">The first byte on the disk.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="now">Virtual nanoseconds at which the disk is asked.</param>
    /// <returns>Virtual nanoseconds at which it has done it, at least <paramref name="now"/>.</returns>
    ulong Complete(BlockOperation operation, ulong offset, int bytes, ulong now);
}

/// <summary>What a disk does.</summary>
public enum BlockOperation
{
    /// <summary>Reads.</summary>
    Read,

    /// <summary>Writes, or keeps what was written.</summary>
    Write,
}
