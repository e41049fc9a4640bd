namespace Mmu86.TestKit.HostCpu;

/// <summary>The linear addresses at which every subject of an instruction test keeps code and data; those of host-cpu.c too.</summary>
/// <remarks>
/// <code>
/// 0x0fff_f000  absent
/// 0x1000_0000  code, two pages: readable, writable, executable, filled with INT3
/// 0x1000_2000  absent
/// 0x1fff_f000  absent
/// 0x2000_0000  data, two pages: readable, writable, zero outside a case's window
/// 0x2000_2000  read-only page of a fixed pattern
/// 0x2000_3000  absent
/// </code>
/// All of it lies below 2 GiB, so that 32-bit addresses and absolute displacements reach it.
/// </remarks>
public static class ScratchMemory
{
    /// <summary>First byte of the two code pages.</summary>
    public const ulong CodeStart = 0x1000_0000;

    /// <summary>Bytes of code.</summary>
    public const int CodeBytes = 0x2000;

    /// <summary>First byte of the two writable data pages.</summary>
    public const ulong DataStart = 0x2000_0000;

    /// <summary>Bytes of writable data.</summary>
    public const int DataBytes = 0x2000;

    /// <summary>First byte of the read-only page, which follows the data.</summary>
    public const ulong ReadOnlyStart = 0x2000_2000;

    /// <summary>Bytes that cannot be written.</summary>
    public const int ReadOnlyBytes = 0x1000;

    /// <summary>What fills the code pages: a jump anywhere else than to an instruction of the case ends the case.</summary>
    public const byte Int3 = 0xCC;

    // An odd constant with well-mixed bits: 2^64 divided by the golden ratio.
    private const ulong Mixer = 0x9E37_79B9_7F4A_7C15;

    /// <summary>The content of the read-only page.</summary>
    public static byte[] ReadOnlyPattern()
    {
        byte[] page = new byte[ReadOnlyBytes];
        for (int i = 0; i < ReadOnlyBytes / 8; i++)
            BitConverter.TryWriteBytes(page.AsSpan(i * 8), unchecked((ulong)(i + 1) * Mixer));
        return page;
    }

    /// <summary>A sum over the data pages without the window: 0 where all of it is zero, as it was before the case.</summary>
    /// <param name="data">Both data pages, the window already cleared.</param>
    public static ulong SumOfStrayBytes(ReadOnlySpan<byte> data)
    {
        // Vectorised, and the usual case by far.
        if (data.IndexOfAnyExcept((byte)0) < 0)
            return 0;
        ulong sum = 0;
        for (int i = 0; i < data.Length / 8; i++)
        {
            ulong value = BitConverter.ToUInt64(data.Slice(i * 8, 8));
            if (value != 0)
                sum = unchecked((sum ^ (value + (ulong)i)) * Mixer);
        }

        return sum;
    }
}
