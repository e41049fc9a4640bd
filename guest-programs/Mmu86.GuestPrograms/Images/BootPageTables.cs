namespace Mmu86.GuestPrograms;

/// <summary>The page tables that a boot image builds for its guest: all of memory mapped to itself by pages of one size.</summary>
/// <remarks>Tables of a level follow each other, so that each level is one array: PML4, PDPT, page directories, page tables.</remarks>
internal sealed record BootPageTables
{
    public const uint PresentAndWritable = 0b11;
    public const uint PageSizeFlag = 1 << 7;
    private const ulong TableBytes = 4096;

    private BootPageTables(ulong address, ulong bytes, IReadOnlyList<Run> runs)
    {
        Address = address;
        Bytes = bytes;
        Runs = runs;
    }

    /// <summary>Entries of one level that follow each other: each is the one before it plus a step.</summary>
    public readonly record struct Run(ulong Address, ulong Count, ulong First, ulong Step);

    /// <summary>Where they begin: the PML4 is there.</summary>
    public ulong Address { get; }

    public ulong Bytes { get; }

    /// <summary>What is in them; the rest is zero.</summary>
    public IReadOnlyList<Run> Runs { get; }

    /// <summary>Plans tables that end at an address.</summary>
    public static BootPageTables Below(ulong end, BootImageOptions options)
    {
        ulong page = GuestPageSize.Bytes(options.GuestPage);
        ulong gibibytes = Parts(options.MemoryBytes, GuestPageSize.OneGibibyte);
        ulong twoMebibytes = Parts(options.MemoryBytes, GuestPageSize.TwoMebibytes);
        ulong directories = page < GuestPageSize.OneGibibyte ? gibibytes : 0;
        ulong tables = page < GuestPageSize.TwoMebibytes ? twoMebibytes : 0;

        ulong bytes = (2 + directories + tables) * TableBytes;
        ulong pml4 = end - bytes, pdpt = pml4 + TableBytes, directory = pdpt + TableBytes, table = directory + (directories * TableBytes);
        var runs = new List<Run> { new(pml4, 1, pdpt | PresentAndWritable, 0) };
        runs.Add(directories > 0 ? Tables(pdpt, gibibytes, directory) : Pages(pdpt, gibibytes, page));
        if (directories > 0)
            runs.Add(tables > 0 ? Tables(directory, twoMebibytes, table) : Pages(directory, twoMebibytes, page));
        if (tables > 0)
            runs.Add(Pages(table, options.MemoryBytes / page, page));
        return new BootPageTables(pml4, bytes, runs);
    }

    private static Run Tables(ulong address, ulong count, ulong first) => new(address, count, first | PresentAndWritable, TableBytes);

    private static Run Pages(ulong address, ulong count, ulong page) =>
        new(address, count, PresentAndWritable | (page > GuestPageSize.FourKibibytes ? PageSizeFlag : 0), page);

    private static ulong Parts(ulong bytes, ulong size) => (bytes + size - 1) / size;
}
