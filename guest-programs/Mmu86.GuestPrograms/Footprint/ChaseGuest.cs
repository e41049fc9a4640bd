using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>Follows one random cycle through all pages: three instructions a step, 105 million by default.</summary>
/// <remarks>
/// The cycle is Sattolo's shuffle (<see cref="ChaseOrder"/>), made in the nodes themselves; that touches every page before the measured part.
/// 4096 pages exceed a second-level TLB of 1536 entries.
/// </remarks>
internal abstract class ChaseGuest : AssembledGuest
{
    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "PAGES", Unit = "pages", Default = 4096, DefaultWith2M = 256, DefaultWith1G = 4, Minimum = 1, Maximum = 1 << 24 },
        new() { Name = "STEPS", Unit = "steps", Default = 35_000_000, Minimum = 1, Maximum = 1UL << 40 },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        ulong pages = arguments[0], steps = arguments[1];
        ulong[] successor = ChaseOrder.Successors(pages);

        // One cycle through all pages returns to its start after as many steps as there are pages.
        ulong node = 0;
        for (ulong i = 0; i < steps % pages; i++)
            node = successor[node];
        return [$"{Name} {pages} pages, {steps} steps: page {node}\n"];
    }

    /// <summary>Emits what leaves in RDX where the node of the page in RAX lies in its page, in bytes. Changes nothing else.</summary>
    protected abstract void EmitLineOffset(Assembler c, ulong pageBytes);

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
        guest.Print($"{Name} {pages} pages, {steps} steps: page ");
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
        LinearCongruence.EmitSeed(guest, ChaseOrder.Seed);
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
    private void EmitNodeAddress(GuestAssembler guest, Label nodeAddress)
    {
        Assembler c = guest.Code;
        guest.BeginFunction("node_address", ref nodeAddress);
        EmitLineOffset(c, guest.PageBytes);
        c.mov(rdi, rax);
        c.shl(rdi, (byte)ulong.Log2(guest.PageBytes));
        c.add(rdi, rdx);
        c.add(rdi, rbx);
        c.ret();
    }
}
