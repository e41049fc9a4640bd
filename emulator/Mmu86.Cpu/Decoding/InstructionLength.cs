using Iced.Intel;

namespace Mmu86.Cpu;

/// <summary>
/// Tells an instruction of more than 15 bytes, which is #GP(0), from an invalid one, which is #UD.
/// SDM 3, "Interrupt 13—General Protection Exception (#GP)".
/// </summary>
internal static unsafe class InstructionLength
{
    /// <summary>Bytes that an instruction may have.</summary>
    public const int Most = 15;

    /// <summary>Stands in a block for an instruction that is too long: what no decoder gives.</summary>
    public static Instruction TooLong => new() { Code = Code.DeclareByte, Length = Most };

    /// <summary>Whether bytes of which the decoder took 15 and made nothing belong to an instruction that does not end there.</summary>
    /// <param name="bytes">Its bytes.</param>
    /// <param name="available">How many may be read; at least 15.</param>
    /// <param name="bits">16, 32 or 64.</param>
    /// <param name="options">How it was decoded.</param>
    public static bool IsExceeded(byte* bytes, uint available, int bits, DecoderOptions options)
    {
        // Without one needless prefix the same instruction is a byte shorter: does it still take 15, or more than there are?
        int needless = FindNeedlessPrefix(new ReadOnlySpan<byte>(bytes, Most), bits);
        if (needless < 0)
            return false;
        int count = (int)Math.Min(available, Most + 1);
        byte* shorter = stackalloc byte[Most];
        for (int i = 0; i < count; i++)
        {
            if (i != needless)
                shorter[i < needless ? i : i - 1] = bytes[i];
        }

        var reader = new ByteReader();
        reader.Set(shorter, (uint)(count - 1));
        var decoder = Decoder.Create(bits, reader, options);
        decoder.Decode(out Instruction instruction);
        return decoder.LastError == DecoderError.NoMoreBytes || instruction.Length == Most;
    }

    // A segment prefix, or one that is given again: neither changes what follows it.
    private static int FindNeedlessPrefix(ReadOnlySpan<byte> bytes, int bits)
    {
        int prefixes = 0;
        while (prefixes < bytes.Length && IsPrefix(bytes[prefixes], bits))
            prefixes++;
        ReadOnlySpan<byte> segments = [0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65];
        int segment = bytes[..prefixes].IndexOfAny(segments);
        if (segment >= 0)
            return segment;
        for (int i = 0; i < prefixes; i++)
        {
            if (bytes[(i + 1)..prefixes].Contains(bytes[i]))
                return i;
        }

        return -1;
    }

    private static bool IsPrefix(byte value, int bits) =>
        value is 0x26 or 0x2E or 0x36 or 0x3E or (>= 0x64 and <= 0x67) or 0xF0 or 0xF2 or 0xF3 || (bits == 64 && value is >= 0x40 and <= 0x4F);
}
