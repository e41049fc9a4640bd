using System.Numerics;
using Mmu86.X86;

namespace Mmu86.Tests.Cpu.Strings;

/// <summary>What the manual says, literally: one element after the other over an array of bytes. SDM 2, "REP/REPE/REPZ/REPNE/REPNZ".</summary>
/// <param name="memory">The data.</param>
/// <param name="start">Linear address of its first byte.</param>
internal sealed class StringModel(byte[] memory, ulong start)
{
    public ulong Rsi { get; private set; }

    public ulong Rdi { get; private set; }

    public ulong Rcx { get; private set; }

    public ulong Rax { get; private set; }

    public RFlags Flags { get; private set; }

    public ulong Loads { get; private set; }

    public ulong Stores { get; private set; }

    public ulong Splits { get; private set; }

    public ulong Iterations { get; private set; }

    public void Run(StringCase instruction, RFlags flags)
    {
        (Rsi, Rdi, Rcx, Rax) = (instruction.Rsi, instruction.Rdi, instruction.Rcx, instruction.Rax);
        Flags = flags;
        if (instruction.Prefix == StringPrefix.None)
        {
            Element(instruction);
            return;
        }

        ulong mask = instruction.Address32 ? uint.MaxValue : ulong.MaxValue;
        while ((Rcx & mask) != 0)
        {
            Element(instruction);
            Rcx = (Rcx - 1) & mask;
            Iterations++;
            bool isZero = (Flags & RFlags.Zero) != 0;
            bool compares = instruction.Operation is StringOperation.Scan or StringOperation.Compare;
            if (compares && isZero != (instruction.Prefix == StringPrefix.Repeat))
                break;
        }
    }

    private void Element(StringCase x)
    {
        switch (x.Operation)
        {
            case StringOperation.Move:
                Store(Destination(x), x.Bytes, Load(Source(x), x.Bytes));
                PassSource(x);
                PassDestination(x);
                break;
            case StringOperation.Store:
                Store(Destination(x), x.Bytes, Rax);
                PassDestination(x);
                break;
            case StringOperation.Load:
                ulong value = Load(Source(x), x.Bytes);
                ulong kept = x.Bytes >= 4 ? 0 : ulong.MaxValue << (8 * x.Bytes);
                Rax = (Rax & kept) | value;
                PassSource(x);
                break;
            case StringOperation.Scan:
                Compare(x.Bytes, Rax & Mask(x.Bytes), Load(Destination(x), x.Bytes));
                PassDestination(x);
                break;
            case StringOperation.Compare:
                ulong first = Load(Source(x), x.Bytes);
                Compare(x.Bytes, first, Load(Destination(x), x.Bytes));
                PassSource(x);
                PassDestination(x);
                break;
        }
    }

    private ulong Source(StringCase x) => x.FsBase + (x.Address32 ? (uint)Rsi : Rsi);

    private ulong Destination(StringCase x) => x.Address32 ? (uint)Rdi : Rdi;

    private void PassSource(StringCase x) => Rsi = Pass(Rsi, x);

    private void PassDestination(StringCase x) => Rdi = Pass(Rdi, x);

    private static ulong Pass(ulong pointer, StringCase x)
    {
        ulong passed = x.Backward ? pointer - (ulong)x.Bytes : pointer + (ulong)x.Bytes;
        return x.Address32 ? (uint)passed : passed;
    }

    private ulong Load(ulong linear, int bytes)
    {
        Loads++;
        CountSplit(linear, bytes);
        ulong value = 0;
        for (int i = bytes - 1; i >= 0; i--)
            value = (value << 8) | memory[linear - start + (ulong)i];
        return value;
    }

    private void Store(ulong linear, int bytes, ulong value)
    {
        Stores++;
        CountSplit(linear, bytes);
        for (int i = 0; i < bytes; i++)
            memory[linear - start + (ulong)i] = (byte)(value >> (8 * i));
    }

    private void CountSplit(ulong linear, int bytes) => Splits += (linear & 0xFFF) + (ulong)bytes > 4096 ? 1UL : 0UL;

    private void Compare(int bytes, ulong a, ulong b)
    {
        ulong sign = 1UL << ((8 * bytes) - 1);
        ulong difference = (a - b) & Mask(bytes);
        RFlags flags = RFlags.None;
        flags |= a < b ? RFlags.Carry : 0;
        flags |= BitOperations.PopCount(difference & 0xFF) % 2 == 0 ? RFlags.Parity : 0;
        flags |= (a & 0xF) < (b & 0xF) ? RFlags.Auxiliary : 0;
        flags |= difference == 0 ? RFlags.Zero : 0;
        flags |= (difference & sign) != 0 ? RFlags.Sign : 0;
        flags |= ((a ^ b) & (a ^ difference) & sign) != 0 ? RFlags.Overflow : 0;
        Flags = (Flags & ~RFlags.Status) | flags;
    }

    private static ulong Mask(int bytes) => bytes == 8 ? ulong.MaxValue : (1UL << (8 * bytes)) - 1;
}
