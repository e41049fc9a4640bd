using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>Fibonacci by naive recursion: about 16 instructions for each unit of the result's successor, 148 million by default.</summary>
internal sealed class FibonacciGuest : AssembledGuest
{
    public override string Name => "fibonacci";

    public override string Question => "What do calls, returns and one hot stack page cost when translation hardly ever misses?";

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "N", Unit = "the sequence's index", Default = 34, Minimum = 0, Maximum = 60 },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        ulong current = 0, next = 1;
        for (ulong i = 0; i < arguments[0]; i++)
            (current, next) = (next, current + next);
        return [$"fibonacci {arguments[0]}: {current}\n"];
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments)
    {
        Assembler c = guest.Code;
        Label fibonacci = c.CreateLabel(), leaf = c.CreateLabel();
        guest.BeginMeasured();
        guest.Load(rdi, arguments[0]);
        c.call(fibonacci);
        guest.EndMeasured();

        c.mov(rbx, rax);
        guest.Print($"fibonacci {arguments[0]}: ");
        c.mov(rax, rbx);
        guest.PrintDecimal();
        guest.Print("\n");
        guest.Exit();

        guest.BeginFunction("fibonacci", ref fibonacci);
        c.cmp(rdi, 2);
        c.jb(leaf);
        c.push(rdi);
        c.dec(rdi);
        c.call(fibonacci);
        c.pop(rdi);
        c.push(rax);
        c.sub(rdi, 2);
        c.call(fibonacci);
        c.pop(rdx);
        c.add(rax, rdx);
        c.ret();
        c.Label(ref leaf);
        c.mov(rax, rdi);
        c.ret();
    }
}
