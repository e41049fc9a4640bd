using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>Reads one word of every page, page after page, round after round: four instructions an access, 123 million by default.</summary>
/// <remarks>2048 pages exceed a second-level TLB of 1536 entries: true LRU then misses on every access, other policies do not.</remarks>
internal sealed class StrideGuest : AssembledGuest
{
    public override string Name => "stride";

    public override string Question => "Which replacement policy survives a sequence of pages that is a little longer than the TLB?";

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "PAGES", Unit = "pages", Default = 2048, DefaultWith2M = 256, DefaultWith1G = 4, Minimum = 1, Maximum = 1 << 24 },
        new()
        {
            Name = "ROUNDS", Unit = "rounds", Default = 15_000, DefaultWith2M = 120_000, DefaultWith1G = 7_500_000, Minimum = 1, Maximum = 1UL << 32,
        },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        // Page i holds i + 1.
        ulong pages = arguments[0], rounds = arguments[1];
        return [$"stride {pages} pages, {rounds} rounds: sum {unchecked(pages * (pages + 1) / 2 * rounds)}\n"];
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments)
    {
        ulong pages = arguments[0], rounds = arguments[1];
        Assembler c = guest.Code;
        ulong data = guest.Reserve("data", checked(pages * guest.PageBytes), guest.PageBytes);
        Label fill = c.CreateLabel(), nextRound = c.CreateLabel(), nextPage = c.CreateLabel();

        guest.Load(rdi, data);
        guest.Load(r8, pages);
        c.xor(ecx, ecx);
        c.Label(ref fill);
        c.inc(rcx);
        c.mov(__[rdi], rcx);
        guest.AddConstant(rdi, guest.PageBytes);
        c.cmp(rcx, r8);
        c.jb(fill);

        c.xor(ebx, ebx);
        guest.Load(rdx, rounds);
        guest.Load(r9, data);
        guest.BeginMeasured();
        c.Label(ref nextRound);
        c.mov(rsi, r9);
        c.mov(rcx, r8);
        c.Label(ref nextPage);
        c.add(rbx, __[rsi]);
        guest.AddConstant(rsi, guest.PageBytes);
        c.dec(rcx);
        c.jnz(nextPage);
        c.dec(rdx);
        c.jnz(nextRound);
        guest.EndMeasured();

        guest.Print($"stride {pages} pages, {rounds} rounds: sum ");
        c.mov(rax, rbx);
        guest.PrintDecimal();
        guest.Print("\n");
        guest.Exit();
    }
}
