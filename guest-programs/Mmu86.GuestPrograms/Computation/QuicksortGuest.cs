using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>Quicksort by Hoare's partition of 64-bit numbers: 177 million instructions by default.</summary>
internal sealed class QuicksortGuest : AssembledGuest
{
    private const ulong Seed = 0x4D4D_0001;

    public override string Name => "quicksort";

    public override string Question => "How does recursion that works on ever smaller neighbourhoods use the reach of each TLB level?";

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "N", Unit = "numbers", Default = 1_000_000, Minimum = 1, Maximum = 100_000_000 },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        var numbers = new long[arguments[0]];
        var random = new LinearCongruence(Seed);
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] = (long)random.Next();
        Array.Sort(numbers);
        ulong checksum = 0;
        for (int i = 0; i < numbers.Length; i++)
            checksum = unchecked(checksum + ((ulong)(i + 1) * (ulong)numbers[i]));
        return [$"quicksort {numbers.Length}: 0 out of order, checksum {checksum}\n"];
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments)
    {
        ulong count = arguments[0];
        Assembler c = guest.Code;
        ulong numbers = guest.Reserve("data", count * 8, GuestPageSize.FourKibibytes);
        ulong last = numbers + ((count - 1) * 8);
        Label sort = c.CreateLabel();

        EmitFill(guest, numbers, count);
        guest.Load(rsi, numbers);
        guest.Load(rdi, last);
        guest.BeginMeasured();
        c.call(sort);
        guest.EndMeasured();
        EmitCheck(guest, numbers, count);

        guest.Print($"quicksort {count}: ");
        c.mov(rax, rbp);
        guest.PrintDecimal();
        guest.Print(" out of order, checksum ");
        c.mov(rax, rbx);
        guest.PrintDecimal();
        guest.Print("\n");
        guest.Exit();
        EmitSort(guest, sort);
    }

    private static void EmitFill(GuestAssembler guest, ulong numbers, ulong count)
    {
        Assembler c = guest.Code;
        Label next = c.CreateLabel();
        LinearCongruence.EmitSeed(guest, Seed);
        guest.Load(rdi, numbers);
        guest.Load(rcx, count);
        c.Label(ref next);
        LinearCongruence.EmitNext(c);
        c.mov(__[rdi], r13);
        c.add(rdi, 8);
        c.dec(rcx);
        c.jnz(next);
    }

    /// <summary>The function that sorts what is between the addresses in RSI and RDI, both included.</summary>
    private static void EmitSort(GuestAssembler guest, Label sort)
    {
        Assembler c = guest.Code;
        Label partition = c.CreateLabel(), up = c.CreateLabel(), tryUp = c.CreateLabel();
        Label down = c.CreateLabel(), tryDown = c.CreateLabel(), split = c.CreateLabel(), done = c.CreateLabel();
        guest.BeginFunction("sort", ref sort);
        c.cmp(rsi, rdi);
        c.jae(done);
        c.mov(rax, rdi);
        c.sub(rax, rsi);
        c.shr(rax, 4);
        c.mov(rax, __[rsi + (rax * 8)]);
        c.mov(r8, rsi);
        c.mov(r9, rdi);
        c.Label(ref partition);
        c.jmp(tryUp);
        c.Label(ref up);
        c.add(r8, 8);
        c.Label(ref tryUp);
        c.mov(rdx, __[r8]);
        c.cmp(rdx, rax);
        c.jl(up);
        c.jmp(tryDown);
        c.Label(ref down);
        c.sub(r9, 8);
        c.Label(ref tryDown);
        c.mov(rcx, __[r9]);
        c.cmp(rcx, rax);
        c.jg(down);
        c.cmp(r8, r9);
        c.ja(split);
        c.mov(__[r8], rcx);
        c.mov(__[r9], rdx);
        c.add(r8, 8);
        c.sub(r9, 8);
        c.cmp(r8, r9);
        c.jbe(partition);

        // The left part by a call, the right part by a jump.
        c.Label(ref split);
        c.push(r8);
        c.push(rdi);
        c.mov(rdi, r9);
        c.call(sort);
        c.pop(rdi);
        c.pop(rsi);
        c.jmp(sort);
        c.Label(ref done);
        c.ret();
    }

    /// <summary>Counts in RBP the numbers that are less than the one before, and sums in RBX each number times its rank.</summary>
    private static void EmitCheck(GuestAssembler guest, ulong numbers, ulong count)
    {
        Assembler c = guest.Code;
        Label next = c.CreateLabel(), inOrder = c.CreateLabel();
        guest.Load(rsi, numbers);
        guest.Load(rcx, count);
        c.mov(r8d, 1);
        c.xor(ebx, ebx);
        c.xor(ebp, ebp);
        c.mov(rdx, __[rsi]);
        c.Label(ref next);
        c.mov(rax, __[rsi]);
        c.cmp(rax, rdx);
        c.jge(inOrder);
        c.inc(rbp);
        c.Label(ref inOrder);
        c.mov(rdx, rax);
        c.imul(rax, r8);
        c.add(rbx, rax);
        c.add(rsi, 8);
        c.inc(r8);
        c.cmp(r8, rcx);
        c.jbe(next);
    }
}
