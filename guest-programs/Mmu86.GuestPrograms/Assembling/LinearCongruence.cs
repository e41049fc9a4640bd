using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The random numbers of most guests, as C# and as instructions: x = x * a + c modulo 2^64, with Knuth's constants for MMIX.</summary>
/// <remarks>The high bits are good, the low bits are not: guests take a range by the high half of a product.</remarks>
internal sealed class LinearCongruence(ulong seed)
{
    private const ulong Multiplier = 6364136223846793005;
    private const ulong Increment = 1442695040888963407;

    private ulong _state = seed;

    /// <summary>The next 64 bits.</summary>
    public ulong Next() => _state = unchecked((_state * Multiplier) + Increment);

    /// <summary>The next number below a bound.</summary>
    public ulong NextBelow(ulong bound) => Math.BigMul(Next(), bound, out _);

    /// <summary>Loads R13 with the seed, R14 and R15 with the constants. The guest keeps its hands off them.</summary>
    public static void EmitSeed(GuestAssembler guest, ulong seed)
    {
        guest.Load(r13, seed);
        guest.Load(r14, Multiplier);
        guest.Load(r15, Increment);
    }

    /// <summary>Emits what leaves the next 64 bits in R13.</summary>
    public static void EmitNext(Assembler c)
    {
        c.imul(r13, r14);
        c.add(r13, r15);
    }

    /// <summary>Emits what leaves the next number below <paramref name="bound"/> in RDX. Changes RAX.</summary>
    public static void EmitNextBelow(Assembler c, AssemblerRegister64 bound)
    {
        EmitNext(c);
        c.mov(rax, r13);
        c.mul(bound);
    }
}
