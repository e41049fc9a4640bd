using Iced.Intel;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Encodes one instruction at a time into a buffer of its own.</summary>
internal sealed class InstructionEncoder
{
    private readonly ByteBuffer _buffer = new();
    private readonly Encoder _encoder;
    private readonly int _bits;

    public InstructionEncoder()
        : this(64)
    {
    }

    /// <summary>An encoder of 16-, 32- or 64-bit code.</summary>
    public InstructionEncoder(int bits)
    {
        _bits = bits;
        _encoder = Encoder.Create(bits, _buffer);
    }

    /// <summary>The last instruction.</summary>
    public ReadOnlySpan<byte> Code => _buffer.Bytes.AsSpan(0, _buffer.Length);

    /// <summary>Encodes an instruction behind a prefix that has no effect.</summary>
    /// <param name="instruction">The instruction.</param>
    /// <param name="address">Its address, that of the prefix where there is one.</param>
    /// <param name="prefix">A prefix, left out where it would have an effect.</param>
    /// <returns>False where no such encoding exists, as with AH and a REX prefix.</returns>
    public bool TryEncode(in Instruction instruction, ulong address, byte? prefix)
    {
        if (!TryEncode(instruction, address))
            return false;
        if (prefix is not { } useless || !IsUseless(useless))
            return true;
        _buffer.Length = 0;
        _buffer.WriteByte(useless);
        return _encoder.TryEncode(instruction, address + 1, out _, out _);
    }

    /// <summary>Encodes an instruction.</summary>
    public bool TryEncode(in Instruction instruction, ulong address)
    {
        _buffer.Length = 0;
        return _encoder.TryEncode(instruction, address, out _, out _);
    }

    /// <summary>Decodes the last instruction.</summary>
    public Instruction Decode(ulong address)
    {
        Decoder decoder = Decoder.Create(_bits, new ByteArrayCodeReader(_buffer.Bytes, 0, _buffer.Length), address);
        return decoder.Decode();
    }

    // A REX prefix counts only right before the opcode; an operand-size prefix only where there is none yet.
    private bool IsUseless(byte prefix) => prefix switch
    {
        0x66 => Code[0] == 0x66,
        >= 0x40 and <= 0x4F => IsPrefix(Code[0]),
        _ => true,
    };

    private static bool IsPrefix(byte value) =>
        value is 0x26 or 0x2E or 0x36 or 0x3E or (>= 0x40 and <= 0x4F) or (>= 0x64 and <= 0x67) or 0xF0 or 0xF2 or 0xF3;

    private sealed class ByteBuffer : CodeWriter
    {
        public byte[] Bytes { get; } = new byte[32];

        public int Length { get; set; }

        public override void WriteByte(byte value) => Bytes[Length++] = value;
    }
}
