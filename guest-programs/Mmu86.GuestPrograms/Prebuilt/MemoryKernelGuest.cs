namespace Mmu86.GuestPrograms;

/// <summary>A kernel that manages its memory under pressure, in C (<c>kernel</c>): about 330 million instructions by default.</summary>
/// <remarks>What it prints depends on the parameters alone. Here the sums are computed without any memory: updates are additions, so the
/// checksum is that of the pages' first content and, for each update, the number added times the weight of its word.</remarks>
internal sealed class MemoryKernelGuest : PrebuiltGuest
{
    private const ulong WordsPerPage = 512;
    private const ulong WordsPerLine = 8;
    private const ulong HotShare = 10;

    // The order of the parameters, as in kernel.h.
    private const int Workload = 0, Pages = 1, Operations = 2, Busy = 3, Idle = 4, Seed = 5, ImagePercent = 6, ZeroPercent = 7, FilePages = 8;
    private const ulong Sequential = 1, Skewed = 2, FileReader = 3;

    public override string Name => "memory-kernel";

    public override string Question => "What does a kernel give to its balloon, and what does it page out to its own disk, when its memory gets short?";

    public override GuestVariants Variants => GuestVariants.Bare;

    public override IReadOnlyList<GuestParameter> Parameters { get; } =
    [
        new() { Name = "WORKLOAD", Unit = "what is done", Default = 0, Minimum = 0, Maximum = FileReader, Choices = ["random", "sequential", "skewed", "file"] },
        new() { Name = "PAGES", Unit = "pages", Default = 4096, Minimum = 1, Maximum = 1 << 22, MayBeShareOfMemory = true },
        new() { Name = "OPERATIONS", Unit = "operations", Default = 5_000_000, Minimum = 0, Maximum = 1UL << 40 },
        new() { Name = "BUSY", Unit = "milliseconds", Default = 0, Minimum = 0, Maximum = 1_000_000_000 },
        new() { Name = "IDLE", Unit = "milliseconds", Default = 0, Minimum = 0, Maximum = 1_000_000_000 },
        new() { Name = "SEED", Unit = "seed", Default = 1, Minimum = 0, Maximum = 1_000_000 },
        new() { Name = "IMAGE", Unit = "percent", Default = 25, Minimum = 0, Maximum = 100 },
        new() { Name = "ZERO", Unit = "percent", Default = 10, Minimum = 0, Maximum = 100 },
        new() { Name = "FILE", Unit = "pages", Default = 2048, Minimum = 1, Maximum = 1 << 22, MayBeShareOfMemory = true },
    ];

    public override IReadOnlyList<string> AcceptableOutputs(GuestArguments arguments)
    {
        ulong seen = 0, checksum = 0;
        for (ulong page = 0; page < arguments[Pages]; page++)
            checksum = unchecked(checksum + MemoryKernelContent.WeighedSum(Key(arguments, page), page));

        var random = new LinearCongruence(arguments[Seed]);
        for (ulong i = 0; i < arguments[Operations]; i++)
        {
            if (arguments[Workload] == FileReader)
            {
                ulong first = random.Next(), second = random.Next();
                ulong block = Below((first >> 32) * (second >> 32), arguments[FilePages]);
                for (ulong word = 0; word < WordsPerPage; word += WordsPerLine)
                    seen = unchecked(seen + MemoryKernelContent.Word(MemoryKernelContent.FileKey, block, word));
            }

            ulong number = random.Next(), page = Choose(arguments, random, i, number), place = (number >> 20) % WordsPerPage;
            if (IsPrivate(arguments, page))
                checksum = unchecked(checksum + (((page * WordsPerPage) + place + 1) * number));
            else
                seen = unchecked(seen + MemoryKernelContent.Word(Key(arguments, page), page, place));
        }

        string workload = Parameters[Workload].Choices[(int)arguments[Workload]];
        return [$"memory-kernel {workload}: {arguments[Pages]} pages, {arguments[Operations]} operations, seen {seen}, checksum {checksum}\n"];
    }

    // The kernel takes all memory there is, and refuses less than it needs itself.
    protected override ulong HeapBytes(GuestArguments arguments) => 0;

    private static ulong Choose(GuestArguments arguments, LinearCongruence random, ulong operation, ulong number)
    {
        ulong pages = arguments[Pages], hot = pages / HotShare;
        if (arguments[Workload] == Sequential)
            return operation % pages;
        bool isHot = arguments[Workload] == Skewed && hot > 0 && Below(random.Next(), HotShare) != 0;
        return Below(number, isHot ? hot : pages);
    }

    private static bool IsPrivate(GuestArguments arguments, ulong page) => page % 100 >= arguments[ImagePercent] + arguments[ZeroPercent];

    private static ulong? Key(GuestArguments arguments, ulong page)
    {
        if (IsPrivate(arguments, page))
            return MemoryKernelContent.PrivateKey + (arguments[Seed] << 16);
        return page % 100 < arguments[ImagePercent] ? MemoryKernelContent.ImageKey : null;
    }

    private static ulong Below(ulong number, ulong limit) => ((number >> 32) * limit) >> 32;
}
