using System.Collections;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The sieve of Eratosthenes, a byte a number. About 14 instructions a number: 141 million by default.</summary>
internal sealed class SieveGuest : AssembledGuest
{
    public override string Name => "sieve";

    public override string Question => "How do regular strides that grow from two bytes to many pages load the data TLB?";

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "N", Unit = "numbers", Default = 10_000_000, Minimum = 2, Maximum = 1_000_000_000 },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        // Odd numbers only, in bits: nothing is shared with the guest but the definition of a prime.
        int limit = (int)arguments[0];
        var composite = new BitArray((limit / 2) + 1);
        int primes = 1;
        for (int number = 3; number <= limit; number += 2)
        {
            if (composite[number / 2])
                continue;

            primes++;
            for (long multiple = (long)number * number; multiple <= limit; multiple += 2 * number)
                composite[(int)(multiple / 2)] = true;
        }

        return [$"sieve {limit}: {primes} primes\n"];
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments)
    {
        ulong limit = arguments[0];
        Assembler c = guest.Code;
        ulong flags = guest.Reserve("data", limit + 1, GuestPageSize.FourKibibytes);
        Label nextNumber = c.CreateLabel(), mark = c.CreateLabel(), composite = c.CreateLabel();
        Label count = c.CreateLabel(), countNext = c.CreateLabel();

        guest.TouchPages(flags, limit + 1);
        guest.BeginMeasured();
        guest.Load(rdi, flags);
        guest.Load(r8, limit);
        c.mov(ecx, 2);
        c.Label(ref nextNumber);
        c.mov(rax, rcx);
        c.imul(rax, rax);
        c.cmp(rax, r8);
        c.ja(count);
        c.cmp(__byte_ptr[rdi + rcx], 0);
        c.jne(composite);
        c.Label(ref mark);
        c.mov(__byte_ptr[rdi + rax], 1);
        c.add(rax, rcx);
        c.cmp(rax, r8);
        c.jbe(mark);
        c.Label(ref composite);
        c.inc(rcx);
        c.jmp(nextNumber);

        // A prime's flag is below one, so the comparison leaves it in CF.
        c.Label(ref count);
        c.xor(ebx, ebx);
        c.mov(ecx, 2);
        c.Label(ref countNext);
        c.cmp(__byte_ptr[rdi + rcx], 1);
        c.adc(rbx, 0);
        c.inc(rcx);
        c.cmp(rcx, r8);
        c.jbe(countNext);
        guest.EndMeasured();

        guest.Print($"sieve {limit}: ");
        c.mov(rax, rbx);
        guest.PrintDecimal();
        guest.Print(" primes\n");
        guest.Exit();
    }
}
