namespace Mmu86.Devices;

/// <summary>Where the bytes of a disk are. Errors are values: a guest sees them as errors of the disk.</summary>
/// <remarks>The bytes are no part of the device's saved state: whoever has the storage keeps them.</remarks>
public interface IBlockStorage
{
    /// <summary>Bytes that it holds, a multiple of 512.</summary>
    ulong SizeInBytes { get; }

    /// <summary>Reads.</summary>
    /// <param name="offset">The first byte; what is asked for lies within the disk.</param>
    /// <param name="destination">Filled where the result is true.</param>
    /// <returns>False where the bytes cannot be read.</returns>
    bool TryRead(ulong offset, Span<byte> destination);

    /// <summary>Writes.</summary>
    /// <param name="offset">The first byte; what is written lies within the disk.</param>
    /// <param name="source">The bytes.</param>
    /// <returns>False where they cannot be written.</returns>
    bool TryWrite(ulong offset, ReadOnlySpan<byte> source);

    /// <summary>Makes sure that what was written is kept.</summary>
    /// <returns>False where it may not be.</returns>
    bool TryFlush();
}
