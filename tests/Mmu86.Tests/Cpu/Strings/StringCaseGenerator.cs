using Mmu86.TestKit.Machines;

namespace Mmu86.Tests.Cpu.Strings;

/// <summary>Random string instructions whose elements all lie in the data of a <see cref="StringMachine"/>.</summary>
internal static class StringCaseGenerator
{
    private const int Margin = 64;

    public static StringCase Next(Random random)
    {
        int bytes = 1 << random.Next(4);
        bool backward = random.Next(3) == 0;
        int most = random.Next(4) switch { 0 => 3, 1 => 40, 2 => 700, _ => 5000 };
        int count = random.Next(Math.Min(most, (StringMachine.DataBytes - (2 * Margin)) / bytes) + 1);
        int source = Place(random, count * bytes);
        // Often close to the source, so that copies overlap; often in the same set of a small TLB.
        int destination = random.Next(4) switch
        {
            0 => Clamp(source + random.Next(-70, 71), count * bytes),
            1 => Clamp(source + (4096 * random.Next(-4, 5)) + random.Next(-8, 9), count * bytes),
            _ => Place(random, count * bytes),
        };
        bool address32 = random.Next(4) == 0;
        ulong fsBase = random.Next(4) == 0 ? (ulong)random.Next(1, 0x1_0000) : 0;
        ulong high = address32 ? (ulong)random.NextInt64() << 32 : 0;
        int first = backward ? Math.Max(0, count - 1) * bytes : 0;
        return new StringCase
        {
            Operation = (StringOperation)random.Next(5),
            Bytes = bytes,
            Prefix = (StringPrefix)random.Next(3),
            Backward = backward,
            Address32 = address32,
            FsBase = fsBase,
            Rsi = high | (StringMachine.Data + (ulong)(source + first) - fsBase),
            Rdi = high | (StringMachine.Data + (ulong)(destination + first)),
            Rcx = high | (uint)count,
            Rax = random.Next(2) == 0 ? (ulong)random.NextInt64() : 0x0101_0101_0101_0101,
        };
    }

    /// <summary>Data in which comparisons run for a while: long stretches of one byte.</summary>
    public static byte[] Fill(Random random)
    {
        byte[] data = new byte[StringMachine.DataBytes];
        int at = 0;
        while (at < data.Length)
        {
            int run = Math.Min(random.Next(1, 900), data.Length - at);
            data.AsSpan(at, run).Fill((byte)random.Next(3));
            at += run;
        }

        return data;
    }

    private static int Place(Random random, int bytes) => random.Next(Margin, StringMachine.DataBytes - Margin - bytes + 1);

    private static int Clamp(int offset, int bytes) => Math.Clamp(offset, Margin, StringMachine.DataBytes - Margin - bytes);
}
