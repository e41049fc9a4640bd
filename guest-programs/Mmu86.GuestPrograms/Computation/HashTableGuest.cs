using System.Numerics;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>An open hash table with linear probing: N insertions, N lookups that hit, N that miss. 156 million instructions by default.</summary>
/// <remarks>A slot is a key and a value of eight bytes each; key 0 is an empty slot. At most half of the slots are taken.</remarks>
internal sealed class HashTableGuest : AssembledGuest
{
    private const ulong PresentSeed = 0x4D4D_0002;
    private const ulong AbsentSeed = 0x4D4D_0003;
    private const int SlotBytes = 16;

    /// <summary>2^64 divided by the golden ratio: neighbouring keys land far apart.</summary>
    private const ulong HashMultiplier = 0x9E37_79B9_7F4A_7C15;

    public override string Name => "hash-table";

    public override string Question => "What do lookups without any locality cost in a table that is larger than every TLB's reach?";

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "N", Unit = "keys", Default = 2_000_000, Minimum = 1, Maximum = 1 << 26 },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        ulong count = arguments[0];
        var table = new Dictionary<ulong, ulong>();
        LinearCongruence inserted = new(PresentSeed), present = new(PresentSeed), absent = new(AbsentSeed);
        for (ulong i = 1; i <= count; i++)
        {
            ulong key = inserted.Next() | 1;
            table[key] = table.GetValueOrDefault(key) + i;
        }

        ulong sum = 0, strays = 0;
        for (ulong i = 0; i < count; i++)
        {
            sum += table[present.Next() | 1];
            strays += table.ContainsKey(absent.Next() | 1) ? 1UL : 0;
        }

        return [$"hash-table {count}: sum {sum}, strays {strays}\n"];
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments)
    {
        ulong count = arguments[0];
        ulong slots = BitOperations.RoundUpToPowerOf2(2 * count);
        ulong bytes = slots * SlotBytes;
        Assembler c = guest.Code;
        ulong table = guest.Reserve("data", bytes, GuestPageSize.FourKibibytes);
        Label find = c.CreateLabel();

        guest.TouchPages(table, bytes);
        guest.Load(rbx, table);
        guest.Load(rbp, HashMultiplier);
        guest.Load(r10, bytes - SlotBytes);
        guest.Load(r12, count);
        guest.BeginMeasured();
        EmitForEachKey(guest, PresentSeed, find, () =>
        {
            c.mov(__[rdi], rdx);
            c.add(__[rdi + 8], r8);
        });

        c.xor(r9d, r9d);
        EmitForEachKey(guest, PresentSeed, find, () => c.add(r9, __[rdi + 8]));

        // An absent key leaves RAX zero.
        c.xor(esi, esi);
        EmitForEachKey(guest, AbsentSeed, find, () =>
        {
            c.cmp(rax, 1);
            c.sbb(rsi, -1);
        });
        guest.EndMeasured();

        c.mov(rbx, r9);
        c.mov(rbp, rsi);
        guest.Print($"hash-table {count}: sum ");
        c.mov(rax, rbx);
        guest.PrintDecimal();
        guest.Print(", strays ");
        c.mov(rax, rbp);
        guest.PrintDecimal();
        guest.Print("\n");
        guest.Exit();
        EmitFind(guest, find, (byte)(64 - BitOperations.Log2(slots)));
    }

    /// <summary>A loop with the key's number, from 1, in R8, the key in RDX, its slot in RDI and the slot's key in RAX.</summary>
    private static void EmitForEachKey(GuestAssembler guest, ulong seed, Label find, Action body)
    {
        Assembler c = guest.Code;
        Label next = c.CreateLabel();
        LinearCongruence.EmitSeed(guest, seed);
        c.mov(r8d, 1);
        c.Label(ref next);
        LinearCongruence.EmitNext(c);
        c.mov(rdx, r13);
        c.or(rdx, 1);
        c.call(find);
        body();
        c.inc(r8);
        c.cmp(r8, r12);
        c.jbe(next);
    }

    /// <summary>The function that finds the slot of key RDX, or the empty slot where it belongs. Changes RAX and RDI.</summary>
    private static void EmitFind(GuestAssembler guest, Label find, byte shift)
    {
        Assembler c = guest.Code;
        Label probe = c.CreateLabel(), other = c.CreateLabel(), done = c.CreateLabel();
        guest.BeginFunction("find", ref find);
        c.mov(rdi, rdx);
        c.imul(rdi, rbp);
        c.shr(rdi, shift);
        c.shl(rdi, 4);
        c.Label(ref probe);
        c.mov(rax, __[rbx + rdi]);
        c.cmp(rax, rdx);
        c.je(done);
        c.test(rax, rax);
        c.jnz(other);
        c.Label(ref done);
        c.add(rdi, rbx);
        c.ret();
        c.Label(ref other);
        c.add(rdi, SlotBytes);
        c.and(rdi, r10);
        c.jmp(probe);
    }
}
