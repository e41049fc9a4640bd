using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>Fills, copies, searches and compares a text of 64 KiB by string instructions and by loops over bytes, N times.</summary>
/// <remarks>A round is 0.8 million instructions, REP counted once, and 0.2 million elements of string instructions. 157 million instructions by default.</remarks>
internal sealed class StringsGuest : AssembledGuest
{
    private const ulong Seed = 0x4D4D_0006;
    private const int TextBytes = 65536;
    private const int Letters = 16;
    private const int Factor = 31;

    /// <summary>The text has the letters a to p only, so the needle occurs where it was put and nowhere else.</summary>
    private const string Needle = "abcq";

    public override string Name => "strings";

    public override string Question => "What do string instructions and loops over bytes cost on texts of sixteen pages?";

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "N", Unit = "rounds", Default = 200, Minimum = 1, Maximum = 1UL << 32 },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        var random = new LinearCongruence(Seed);
        var text = new byte[TextBytes];
        for (int i = 0; i < text.Length; i++)
            text[i] = (byte)('a' + random.NextBelow(Letters));

        ulong checksum = 0;
        var copy = new byte[TextBytes];
        for (ulong round = 0; round < arguments[0]; round++)
        {
            int position = (int)random.NextBelow(TextBytes - (ulong)Needle.Length);
            text.CopyTo(copy, 0);
            System.Text.Encoding.ASCII.GetBytes(Needle).CopyTo(copy, position);
            Mix(position);
            Mix(TextBytes - 1 - (position + Needle.Length - 1));
            Mix(TextBytes - 1 - text.AsSpan().CommonPrefixLength(copy));
            foreach (byte letter in copy)
                checksum += (ulong)char.ToUpperInvariant((char)letter);
            Mix(char.ToUpperInvariant((char)copy[TextBytes - 2]));
        }

        return [$"strings {arguments[0]}: checksum {checksum}\n"];

        void Mix(int value) => checksum = unchecked((checksum * Factor) + (ulong)value);
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments)
    {
        Assembler c = guest.Code;
        ulong text = guest.Reserve("data", TextBytes, GuestPageSize.FourKibibytes);
        ulong copy = guest.Reserve("copy", TextBytes, GuestPageSize.FourKibibytes);
        Label nextLetter = c.CreateLabel(), nextRound = c.CreateLabel();

        LinearCongruence.EmitSeed(guest, Seed);
        guest.Load(r8, text);
        guest.Load(r9, copy);
        c.mov(rdi, r8);
        c.mov(ecx, TextBytes);
        c.mov(ebp, Letters);
        c.Label(ref nextLetter);
        LinearCongruence.EmitNextBelow(c, rbp);
        c.add(edx, (byte)'a');
        c.mov(__[rdi], dl);
        c.inc(rdi);
        c.dec(ecx);
        c.jnz(nextLetter);
        guest.TouchPages(copy, TextBytes);

        c.xor(ebx, ebx);
        c.mov(ebp, TextBytes - Needle.Length);
        guest.Load(r12, arguments[0]);
        guest.BeginMeasured();
        c.Label(ref nextRound);
        EmitRound(guest);
        c.dec(r12);
        c.jnz(nextRound);
        guest.EndMeasured();

        guest.Print($"strings {arguments[0]}: checksum ");
        c.mov(rax, rbx);
        guest.PrintDecimal();
        guest.Print("\n");
        guest.Exit();
    }

    /// <summary>One round, with the text at R8, the copy at R9 and the checksum in RBX.</summary>
    private static void EmitRound(GuestAssembler guest)
    {
        Assembler c = guest.Code;
        guest.Mark("fill");
        c.mov(rdi, r9);
        c.mov(eax, r12d);
        c.mov(ecx, TextBytes);
        c.rep.stosb();

        guest.Mark("copy_text");
        c.mov(rsi, r8);
        c.mov(rdi, r9);
        c.mov(ecx, TextBytes / 8);
        c.rep.movsq();
        LinearCongruence.EmitNextBelow(c, rbp);
        c.mov(__dword_ptr[r9 + rdx], NeedleWord());
        EmitSearchByBytes(guest);

        guest.Mark("scan");
        c.mov(rdi, r9);
        c.mov(al, (byte)Needle[^1]);
        c.mov(ecx, TextBytes);
        c.repne.scasb();
        EmitMix(c, rcx);

        guest.Mark("compare");
        c.mov(rsi, r8);
        c.mov(rdi, r9);
        c.mov(ecx, TextBytes);
        c.repe.cmpsb();
        EmitMix(c, rcx);

        EmitUpperCase(guest);
        guest.Mark("move_up");
        c.lea(rsi, __[r9 + (TextBytes - 2)]);
        c.lea(rdi, __[r9 + (TextBytes - 1)]);
        c.mov(ecx, TextBytes - 1);
        c.std();
        c.rep.movsb();
        c.cld();
        c.movzx(eax, __byte_ptr[r9 + (TextBytes - 1)]);
        EmitMix(c, rax);
    }

    private static void EmitSearchByBytes(GuestAssembler guest)
    {
        Assembler c = guest.Code;
        Label test = c.CreateLabel(), next = c.CreateLabel(), found = c.CreateLabel();
        guest.Mark("search");
        c.mov(rdi, r9);
        c.Label(ref test);
        c.cmp(__byte_ptr[rdi], (byte)Needle[0]);
        c.jne(next);
        c.cmp(__dword_ptr[rdi], NeedleWord());
        c.je(found);
        c.Label(ref next);
        c.inc(rdi);
        c.jmp(test);
        c.Label(ref found);
        c.sub(rdi, r9);
        EmitMix(c, rdi);
    }

    private static void EmitUpperCase(GuestAssembler guest)
    {
        const int AlphabetLength = 26, ToUpper = 'a' - 'A';
        Assembler c = guest.Code;
        Label next = c.CreateLabel(), store = c.CreateLabel();
        guest.Mark("upper_case");
        c.mov(rdi, r9);
        c.mov(ecx, TextBytes);
        c.Label(ref next);
        c.movzx(eax, __byte_ptr[rdi]);
        c.lea(edx, __[rax - 'a']);
        c.cmp(edx, AlphabetLength);
        c.jae(store);
        c.sub(eax, ToUpper);
        c.Label(ref store);
        c.mov(__[rdi], al);
        c.add(rbx, rax);
        c.inc(rdi);
        c.dec(ecx);
        c.jnz(next);
    }

    private static void EmitMix(Assembler c, AssemblerRegister64 value)
    {
        c.imul(rbx, rbx, Factor);
        c.add(rbx, value);
    }

    private static int NeedleWord() => Needle[0] | (Needle[1] << 8) | (Needle[2] << 16) | (Needle[3] << 24);
}
