using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>Follows one random cycle through all pages: three instructions a step, 105 million by default.</summary>
/// <remarks>
/// The node of page i is at its line i mod 64, so that nodes spread over the sets of a data cache. The cycle is Sattolo's shuffle, made in
/// the nodes themselves; that touches every page before the measured part. 4096 pages exceed a second-level TLB of 1536 entries.
/// </remarks>
internal sealed class PointerChaseGuest : AssembledGuest
{
    private const ulong Seed = 0x4D4D_5586;
    private const int LineBytes = 64;
    private const int LineMask = 63;

    public override string Name => "pointer-chase";

    public override string Question => "What does a load cost when every step depends on the last and lands on a page chosen at random?";

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "PAGES", Unit = "pages", Default = 4096, DefaultWith2M = 256, DefaultWith1G = 4, Minimum = 1, Maximum = 1 << 24 },
        new() { Name = "STEPS", Unit = "steps", Default = 35_000_000, Minimum = 1, Maximum = 1UL << 40 },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        ulong pages = arguments[0], steps = arguments[1];
        var successor = new ulong[pages];
        for (ulong i = 0; i < pages; i++)
            successor[i] = i;
        var random = new LinearCongruence(Seed);
        for (ulong i = pages - 1; i > 0; i--)
        {
            ulong other = random.NextBelow(i);
            (successor[i], successor[other]) = (successor[other], successor[i]);
        }

        // One cycle through all pages returns to its start after as many steps as there are pages.
        ulong node = 0;
        for (ulong i = 0; i < steps % pages; i++)
            node = successor[node];
        return [$"pointer-chase {pages} pages, {steps} steps: page {node}\n"];
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments)
    {
        ulong pages = arguments[0], steps = arguments[1];
        Assembler c = guest.Code;
        ulong data = guest.Reserve("data", checked(pages * guest.PageBytes), guest.PageBytes);
        Label nodeAddress = c.CreateLabel();

        guest.Load(rbx, data);
        EmitForEachPage(guest, pages, nodeAddress, () => c.mov(__[rdi], rcx));
        EmitShuffle(guest, pages, nodeAddress);
        EmitForEachPage(guest, pages, nodeAddress, () =>
        {
            c.mov(rsi, rdi);
            c.mov(rax, __[rdi]);
            c.call(nodeAddress);
            c.mov(__[rsi], rdi);
        });

        Label step = c.CreateLabel();
        c.mov(rax, rbx);
        guest.Load(rcx, steps);
        guest.BeginMeasured();
        c.Label(ref step);
        c.mov(rax, __[rax]);
        c.dec(rcx);
        c.jnz(step);
        guest.EndMeasured();

        c.sub(rax, rbx);
        c.shr(rax, (byte)ulong.Log2(guest.PageBytes));
        c.mov(rbx, rax);
        guest.Print($"pointer-chase {pages} pages, {steps} steps: page ");
        c.mov(rax, rbx);
        guest.PrintDecimal();
        guest.Print("\n");
        guest.Exit();
        EmitNodeAddress(guest, nodeAddress);
    }

    /// <summary>A loop with the page's number in RCX and its node in RDI. The body may change RAX, RDX, RSI and RDI.</summary>
    private static void EmitForEachPage(GuestAssembler guest, ulong pages, Label nodeAddress, Action body)
    {
        Assembler c = guest.Code;
        Label next = c.CreateLabel();
        guest.Load(r8, pages);
        c.xor(ecx, ecx);
        c.Label(ref next);
        c.mov(rax, rcx);
        c.call(nodeAddress);
        body();
        c.inc(rcx);
        c.cmp(rcx, r8);
        c.jb(next);
    }

    private static void EmitShuffle(GuestAssembler guest, ulong pages, Label nodeAddress)
    {
        Assembler c = guest.Code;
        Label next = c.CreateLabel(), done = c.CreateLabel();
        LinearCongruence.EmitSeed(guest, Seed);
        guest.Load(rcx, pages - 1);
        c.test(rcx, rcx);
        c.jz(done);
        c.Label(ref next);
        c.mov(rax, rcx);
        c.call(nodeAddress);
        c.mov(rsi, rdi);
        LinearCongruence.EmitNextBelow(c, rcx);
        c.mov(rax, rdx);
        c.call(nodeAddress);
        c.mov(rax, __[rsi]);
        c.mov(rdx, __[rdi]);
        c.mov(__[rdi], rax);
        c.mov(__[rsi], rdx);
        c.dec(rcx);
        c.jnz(next);
        c.Label(ref done);
    }

    /// <summary>The function that turns the number of a page in RAX into the address of its node in RDI. Changes RAX and RDX.</summary>
    private static void EmitNodeAddress(GuestAssembler guest, Label nodeAddress)
    {
        Assembler c = guest.Code;
        guest.BeginFunction("node_address", ref nodeAddress);
        c.mov(edx, eax);
        c.and(edx, LineMask);
        c.imul(edx, edx, LineBytes);
        c.mov(rdi, rax);
        c.shl(rdi, (byte)ulong.Log2(guest.PageBytes));
        c.add(rdi, rdx);
        c.add(rdi, rbx);
        c.ret();
    }
}
