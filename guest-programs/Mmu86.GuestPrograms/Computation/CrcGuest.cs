using System.Buffers.Binary;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>CRC-32 (polynomial 0xEDB88320, reflected) of N bytes by a table of 256 entries: seven instructions a byte, 124 million in all by default.</summary>
internal sealed class CrcGuest : AssembledGuest
{
    private const ulong Seed = 0x4D4D_0004;
    private const uint Polynomial = 0xEDB8_8320;

    public override string Name => "crc";

    public override string Question => "How fast is a loop with two loads a byte, one in sequence and one in a hot table, that hardly ever misses a TLB?";

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "N", Unit = "bytes", Default = 16_000_000, Minimum = 1, Maximum = 1 << 30 },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        // Bit by bit, without a table.
        var random = new LinearCongruence(Seed);
        ulong word = 0;
        uint crc = uint.MaxValue;
        for (ulong i = 0; i < arguments[0]; i++)
        {
            if (i % 8 == 0)
                word = random.Next();
            crc = Shift(crc ^ (byte)word);
            word >>= 8;
        }

        return [$"crc {arguments[0]}: {~crc}\n"];
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments)
    {
        ulong count = arguments[0];
        ulong words = (count + 7) / 8;
        Assembler c = guest.Code;
        ulong table = guest.AddData("table", Table(), 64);
        ulong buffer = guest.Reserve("data", words * 8, GuestPageSize.FourKibibytes);
        Label fill = c.CreateLabel(), next = c.CreateLabel();

        LinearCongruence.EmitSeed(guest, Seed);
        guest.Load(rdi, buffer);
        guest.Load(rcx, words);
        c.Label(ref fill);
        LinearCongruence.EmitNext(c);
        c.mov(__[rdi], r13);
        c.add(rdi, 8);
        c.dec(rcx);
        c.jnz(fill);

        guest.Load(rsi, buffer);
        guest.Load(r8, buffer + count);
        guest.Load(rdi, table);
        c.mov(eax, -1);
        guest.BeginMeasured();
        c.Label(ref next);
        c.movzx(ecx, __byte_ptr[rsi]);
        c.xor(cl, al);
        c.shr(eax, 8);
        c.xor(eax, __[rdi + (rcx * 4)]);
        c.inc(rsi);
        c.cmp(rsi, r8);
        c.jne(next);
        guest.EndMeasured();

        c.not(eax);
        c.mov(ebx, eax);
        guest.Print($"crc {count}: ");
        c.mov(eax, ebx);
        guest.PrintDecimal();
        guest.Print("\n");
        guest.Exit();
    }

    private static byte[] Table()
    {
        var table = new byte[256 * sizeof(uint)];
        for (uint i = 0; i < 256; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan((int)i * sizeof(uint)), Shift(i));
        return table;
    }

    /// <summary>Divides eight bits out of the remainder.</summary>
    private static uint Shift(uint remainder)
    {
        for (int bit = 0; bit < 8; bit++)
            remainder = (remainder >> 1) ^ ((remainder & 1) * Polynomial);
        return remainder;
    }
}
