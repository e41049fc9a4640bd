namespace Mmu86.GuestPrograms;

/// <summary>A binary search tree on the heap, in C (<c>tree.c</c>). About 224 million instructions by default.</summary>
/// <remarks>300 000 nodes are 2344 pages of 4 KiB, more than a second-level TLB of 1536 entries.</remarks>
internal sealed class TreeGuest : PrebuiltGuest
{
    private const ulong PresentSeed = 0x4D4D_0007;
    private const ulong AbsentSeed = 0x4D4D_0008;
    private const ulong NodeBytes = 32;

    public override string Name => "tree";

    public override string Question => "What does a search cost that follows pointers through twenty nodes, of which only the upper ones stay in the TLB?";

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "N", Unit = "keys", Default = 300_000, Minimum = 1, Maximum = 1 << 28 },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        // A dictionary and a sort instead of a tree.
        ulong count = arguments[0];
        var values = new Dictionary<ulong, ulong>();
        LinearCongruence inserted = new(PresentSeed), present = new(PresentSeed), absent = new(AbsentSeed);
        for (ulong i = 1; i <= count; i++)
        {
            ulong key = inserted.Next();
            values[key] = values.GetValueOrDefault(key) + i;
        }

        ulong sum = 0, strays = 0;
        for (ulong i = 0; i < count; i++)
        {
            sum += values[present.Next()];
            strays += values.ContainsKey(absent.Next()) ? 1UL : 0;
        }

        ulong checksum = 0, rank = 0;
        foreach (ulong key in values.Keys.Order())
            checksum = unchecked(checksum + (++rank * key));
        return [$"tree {count}: sum {sum}, strays {strays}, checksum {checksum}\n"];
    }

    protected override ulong HeapBytes(GuestArguments arguments) => arguments[0] * NodeBytes;
}
