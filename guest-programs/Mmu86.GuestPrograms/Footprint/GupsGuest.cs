using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>Random updates: XORs random words of a table that fills all pages. Fourteen instructions an update, 180 million in all by default.</summary>
/// <remarks>After the measured part the table is summed, at about 1.4 instructions a word.</remarks>
internal sealed class GupsGuest : AssembledGuest
{
    private const ulong Seed = 0x4D4D_5586_0000_0001;
    private const int WordsPerPass = 8;

    public override string Name => "gups";

    public override string Question => "How many updates at random can be made when every one needs another translation, but none waits for the last?";

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "PAGES", Unit = "pages", Default = 16384, DefaultWith2M = 64, DefaultWith1G = 1, Minimum = 1, Maximum = 1 << 24 },
        new() { Name = "UPDATES", Unit = "updates", Default = 12_000_000, Minimum = 1, Maximum = 1UL << 40 },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        // In parts that come into being when something is put there: the table may be larger than our own memory.
        ulong pages = arguments[0], updates = arguments[1], wordsPerPage = arguments.PageBytes / 8;
        var parts = new Dictionary<ulong, ulong[]>();
        for (ulong page = 0; page < pages; page++)
            Word(page * wordsPerPage) = page;
        ulong state = Seed;
        for (ulong i = 0; i < updates; i++)
        {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            Word(Math.BigMul(state, pages * wordsPerPage, out _)) ^= state;
        }

        ulong sum = 0;
        foreach (ulong word in parts.Values.SelectMany(part => part))
            sum = unchecked(sum + word);
        return [$"gups {pages} pages, {updates} updates: sum {sum}\n"];

        ref ulong Word(ulong index)
        {
            const int WordsPerPart = 512;
            if (!parts.TryGetValue(index / WordsPerPart, out ulong[]? part))
                parts[index / WordsPerPart] = part = new ulong[WordsPerPart];
            return ref part[index % WordsPerPart];
        }
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments)
    {
        ulong pages = arguments[0], updates = arguments[1], bytes = checked(pages * guest.PageBytes);
        Assembler c = guest.Code;
        ulong data = guest.Reserve("data", bytes, guest.PageBytes);
        Label fill = c.CreateLabel(), update = c.CreateLabel(), sum = c.CreateLabel();

        guest.Load(rdi, data);
        guest.Load(r8, pages);
        c.xor(ecx, ecx);
        c.Label(ref fill);
        c.mov(__[rdi], rcx);
        guest.AddConstant(rdi, guest.PageBytes);
        c.inc(rcx);
        c.cmp(rcx, r8);
        c.jb(fill);

        guest.Load(rsi, data);
        guest.Load(r8, bytes / 8);
        guest.Load(rcx, updates);
        guest.Load(rbx, Seed);
        guest.BeginMeasured();
        c.Label(ref update);
        EmitXorShift(c);
        c.mov(rax, rbx);
        c.mul(r8);
        c.xor(__[rsi + (rdx * 8)], rbx);
        c.dec(rcx);
        c.jnz(update);
        guest.EndMeasured();

        guest.Load(rcx, bytes / 8 / WordsPerPass);
        c.xor(ebx, ebx);
        c.Label(ref sum);
        for (int i = 0; i < WordsPerPass; i++)
            c.add(rbx, __[rsi + (8 * i)]);
        c.add(rsi, 8 * WordsPerPass);
        c.dec(rcx);
        c.jnz(sum);

        guest.Print($"gups {pages} pages, {updates} updates: sum ");
        c.mov(rax, rbx);
        guest.PrintDecimal();
        guest.Print("\n");
        guest.Exit();
    }

    /// <summary>Marsaglia's xorshift with 13, 7 and 17, in RBX. Changes RAX.</summary>
    private static void EmitXorShift(Assembler c)
    {
        c.mov(rax, rbx);
        c.shl(rax, 13);
        c.xor(rbx, rax);
        c.mov(rax, rbx);
        c.shr(rax, 7);
        c.xor(rbx, rax);
        c.mov(rax, rbx);
        c.shl(rax, 17);
        c.xor(rbx, rax);
    }
}
