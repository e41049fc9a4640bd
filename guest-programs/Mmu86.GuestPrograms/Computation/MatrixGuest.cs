using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The product of two N by N matrices of 64-bit integers, in the order that strides through the second one by rows.</summary>
/// <remarks>Seven instructions a product of elements, N³ of them; 232 million in all by default. At 320 a column of the second matrix lies on 200 pages of 4 KiB.</remarks>
internal sealed class MatrixGuest : AssembledGuest
{
    private const ulong Seed = 0x4D4D_0005;

    public override string Name => "matrix";

    public override string Question => "What does a stride of many lines cost when its pages are more than the first TLB holds and are soon needed again?";

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "N", Unit = "rows and columns", Default = 320, Minimum = 1, Maximum = 8192 },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        int n = (int)arguments[0];
        var random = new LinearCongruence(Seed);
        var left = new ulong[n * n];
        var right = new ulong[n * n];
        for (int i = 0; i < n * n; i++)
            left[i] = random.Next();
        for (int i = 0; i < n * n; i++)
            right[i] = random.Next();

        // Row by row of the right matrix: another order of the same sums, which are exact modulo 2^64.
        ulong checksum = 0;
        var row = new ulong[n];
        for (int i = 0; i < n; i++)
        {
            Array.Clear(row);
            for (int k = 0; k < n; k++)
            {
                for (int j = 0; j < n; j++)
                    row[j] = unchecked(row[j] + (left[(i * n) + k] * right[(k * n) + j]));
            }

            foreach (ulong element in row)
                checksum = unchecked((checksum * 31) + element);
        }

        return [$"matrix {n}: checksum {checksum}\n"];
    }

    protected override void Emit(GuestAssembler guest, GuestArguments arguments)
    {
        ulong n = arguments[0], bytes = n * n * 8;
        Assembler c = guest.Code;
        ulong left = guest.Reserve("data", bytes, GuestPageSize.FourKibibytes);
        ulong right = guest.Reserve("right", bytes, GuestPageSize.FourKibibytes);
        ulong product = guest.Reserve("product", bytes, GuestPageSize.FourKibibytes);

        LinearCongruence.EmitSeed(guest, Seed);
        EmitFill(guest, left, n * n);
        EmitFill(guest, right, n * n);
        guest.TouchPages(product, bytes);
        guest.BeginMeasured();
        EmitMultiply(guest, left, right, product, n);
        guest.EndMeasured();
        EmitChecksum(guest, product, n * n);

        guest.Print($"matrix {n}: checksum ");
        c.mov(rax, rbx);
        guest.PrintDecimal();
        guest.Print("\n");
        guest.Exit();
    }

    private static void EmitFill(GuestAssembler guest, ulong matrix, ulong elements)
    {
        Assembler c = guest.Code;
        Label next = c.CreateLabel();
        guest.Load(rdi, matrix);
        guest.Load(rcx, elements);
        c.Label(ref next);
        LinearCongruence.EmitNext(c);
        c.mov(__[rdi], r13);
        c.add(rdi, 8);
        c.dec(rcx);
        c.jnz(next);
    }

    private static void EmitMultiply(GuestAssembler guest, ulong left, ulong right, ulong product, ulong n)
    {
        Assembler c = guest.Code;
        Label nextRow = c.CreateLabel(), nextColumn = c.CreateLabel(), nextProduct = c.CreateLabel();
        int rowBytes = checked((int)n * 8);
        guest.Load(r8, left);
        guest.Load(rdi, product);
        guest.Load(r11, n);
        c.Label(ref nextRow);
        guest.Load(r9, right);
        guest.Load(r10, n);
        c.Label(ref nextColumn);
        c.mov(rsi, r8);
        c.mov(rdx, r9);
        c.xor(ebx, ebx);
        guest.Load(rcx, n);
        c.Label(ref nextProduct);
        c.mov(rax, __[rsi]);
        c.imul(rax, __[rdx]);
        c.add(rbx, rax);
        c.add(rsi, 8);
        c.add(rdx, rowBytes);
        c.dec(rcx);
        c.jnz(nextProduct);
        c.mov(__[rdi], rbx);
        c.add(rdi, 8);
        c.add(r9, 8);
        c.dec(r10);
        c.jnz(nextColumn);
        c.add(r8, rowBytes);
        c.dec(r11);
        c.jnz(nextRow);
    }

    private static void EmitChecksum(GuestAssembler guest, ulong product, ulong elements)
    {
        Assembler c = guest.Code;
        Label next = c.CreateLabel();
        guest.Load(rsi, product);
        guest.Load(rcx, elements);
        c.xor(ebx, ebx);
        c.Label(ref next);
        c.imul(rbx, rbx, 31);
        c.add(rbx, __[rsi]);
        c.add(rsi, 8);
        c.dec(rcx);
        c.jnz(next);
    }
}
