namespace Mmu86.Tests.Cpu.Strings;

/// <summary>Which string operation.</summary>
internal enum StringOperation
{
    Move,
    Store,
    Load,
    Scan,
    Compare,
}

/// <summary>Which prefix repeats it.</summary>
internal enum StringPrefix
{
    None,
    Repeat,
    RepeatNotEqual,
}

/// <summary>One string instruction and the registers that it starts with.</summary>
internal sealed record StringCase
{
    public required StringOperation Operation { get; init; }

    public required int Bytes { get; init; }

    public required StringPrefix Prefix { get; init; }

    public required bool Backward { get; init; }

    public required bool Address32 { get; init; }

    public required ulong FsBase { get; init; }

    public required ulong Rsi { get; init; }

    public required ulong Rdi { get; init; }

    public required ulong Rcx { get; init; }

    public required ulong Rax { get; init; }

    /// <summary>The encoding: FS prefix where there is a base, address size, repeat prefix, REX.W or operand size, opcode.</summary>
    public byte[] Encode()
    {
        var bytes = new List<byte>();
        if (FsBase != 0)
            bytes.Add(0x64);
        if (Address32)
            bytes.Add(0x67);
        if (Prefix != StringPrefix.None)
            bytes.Add(Prefix == StringPrefix.Repeat ? (byte)0xF3 : (byte)0xF2);
        if (Bytes == 2)
            bytes.Add(0x66);
        if (Bytes == 8)
            bytes.Add(0x48);
        int opcode = Operation switch
        {
            StringOperation.Move => 0xA4,
            StringOperation.Compare => 0xA6,
            StringOperation.Store => 0xAA,
            StringOperation.Load => 0xAC,
            _ => 0xAE,
        };
        bytes.Add((byte)(opcode | (Bytes == 1 ? 0 : 1)));
        return bytes.ToArray();
    }
}
