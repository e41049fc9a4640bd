namespace Mmu86.GuestPrograms;

/// <summary>Heapsort of the numbers that <c>quicksort</c> sorts, in C (<c>heapsort.c</c>): 393 million instructions by default.</summary>
internal sealed class HeapsortGuest : PrebuiltGuest
{
    private const ulong Seed = 0x4D4D_0001;

    public override string Name => "heapsort";

    public override string Question => "What does sorting cost when each step jumps twice as far as the last, compared with quicksort on the same numbers?";

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
        return [$"heapsort {numbers.Length}: 0 out of order, checksum {checksum}\n"];
    }

    protected override ulong HeapBytes(GuestArguments arguments) => arguments[0] * 8;
}
