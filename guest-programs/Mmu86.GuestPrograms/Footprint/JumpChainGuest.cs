using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>Jumps from page to page in order, round after round: 205 million jumps by default.</summary>
/// <remarks>
/// The guest writes the jumps itself, one a page at the lines of <see cref="SpreadLines"/>, and makes the pages executable. The last one counts
/// the round and leads back to the first, so that no other page is fetched from in a round.
/// </remarks>
internal sealed class JumpChainGuest : AssembledGuest
{
    private const ulong WarmRounds = 3;

    // What a displacement of 32 bits reaches, less what lines lie further back in the next page.
    private const ulong MostDistance = int.MaxValue - 4095;

    public override string Name => "jump-chain";

    public override string Question => "At how many pages of code does a jump to the next page begin to wait for its translation, and at which distance?";

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "PAGES", Unit = "pages", Default = 512, DefaultWith2M = 64, DefaultWith1G = 4, Minimum = 1, Maximum = 1 << 20 },
        new() { Name = "STRIDE", Unit = "pages from one to the next", Default = 1, Minimum = 1, Maximum = 1 << 16 },
        new()
        {
            Name = "ROUNDS", Unit = "rounds", Default = 400_000, DefaultWith2M = 3_200_000, DefaultWith1G = 50_000_000, Minimum = 1, Maximum = 1UL << 32,
        },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        ulong pages = arguments[0], rounds = arguments[2];
        return [$"jump-chain {pages} pages, stride {arguments[1]}, {rounds} rounds: {pages * rounds} jumps\n"];
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments)
    {
        ulong pages = arguments[0], stride = arguments[1], rounds = arguments[2];
        ulong distance = stride * guest.PageBytes, bytes = (((pages - 1) * stride) + 1) * guest.PageBytes;
        if (distance > MostDistance)
            throw new GuestArgumentException($"jump-chain: STRIDE is '{stride}'; pages of {guest.PageBytes} bytes so far apart are beyond the reach of a jump.");
        ulong code = guest.Reserve("chain", bytes, guest.PageBytes);
        Assembler c = guest.Code;
        EmitChain(guest, code, pages, distance);
        guest.MakeExecutable(code, bytes);

        Label warm = c.CreateLabel(), end = c.CreateLabel();
        guest.Load(rbx, code);
        guest.Load(rcx, WarmRounds);
        c.lea(rbp, __[warm]);
        c.jmp(rbx);
        c.Label(ref warm);
        guest.Load(rcx, rounds);
        c.lea(rbp, __[end]);
        guest.BeginMeasured();
        c.jmp(rbx);
        c.Label(ref end);
        guest.EndMeasured();

        guest.Load(rbx, rounds);
        c.sub(rbx, rcx);
        guest.Load(rax, pages);
        c.imul(rbx, rax);
        guest.Print($"jump-chain {pages} pages, stride {stride}, {rounds} rounds: ");
        c.mov(rax, rbx);
        guest.PrintDecimal();
        guest.Print(" jumps\n");
        guest.Exit();
    }

    private static void EmitChain(GuestAssembler guest, ulong code, ulong pages, ulong distance)
    {
        Assembler c = guest.Code;
        Label next = c.CreateLabel(), last = c.CreateLabel();
        guest.Load(r9, code);
        guest.Load(r8, pages - 1);
        guest.Load(r10, distance);
        c.xor(eax, eax);
        SpreadLines.EmitOffset(c, guest.PageBytes);

        // RAX: the page's position; RDX: its line's offset; R9: its address.
        c.Label(ref next);
        c.lea(rdi, __[r9 + rdx]);
        c.add(r9, r10);
        c.cmp(rax, r8);
        c.je(last);
        c.inc(rax);
        SpreadLines.EmitOffset(c, guest.PageBytes);
        c.lea(rsi, __[r9 + rdx]);
        c.sub(rsi, rdi);
        c.sub(rsi, JumpNodes.JumpNearBytes);
        c.mov(__byte_ptr[rdi], JumpNodes.JumpNear);
        c.mov(__dword_ptr[rdi + 1], esi);
        c.jmp(next);

        c.Label(ref last);
        for (int i = 0; i < JumpNodes.Last.Length; i++)
            c.mov(__byte_ptr[rdi + i], JumpNodes.Last[i]);
    }
}
