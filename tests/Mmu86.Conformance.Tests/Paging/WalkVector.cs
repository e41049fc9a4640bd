using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>One line of a table of walks in <c>tests/data/paging</c>: a small language that the files explain themselves.</summary>
internal sealed class WalkVector
{
    private readonly string[] _context;
    private readonly string[] _outcome;

    private WalkVector(string line, int number)
    {
        Line = $"line {number}: {line}";
        string[] columns = line.Split('|', StringSplitOptions.TrimEntries);
        Page = columns[0];
        _context = Words(columns[1]);
        string[] access = Words(columns[2]);
        Kind = Enum.Parse<AccessKind>(access[^1], ignoreCase: true);
        Mode = access.Length == 1 ? AccessMode.Supervisor : access[0] switch
        {
            "user" => AccessMode.User,
            "supervisor" => AccessMode.Supervisor,
            "ac" => AccessMode.SupervisorWithAc,
            "implicit" => AccessMode.Implicit,
            _ => throw new FormatException(Line),
        };
        Entries = Words(columns[3]);
        _outcome = Words(columns[4]);
        Flags = columns.Length > 5 ? columns[5] : "-";
    }

    /// <summary>The line and its number, for messages.</summary>
    public string Line { get; }

    /// <summary>The first column.</summary>
    public string Page { get; }

    public AccessKind Kind { get; }

    public AccessMode Mode { get; }

    /// <summary>The words of the entries, level 4 first.</summary>
    public string[] Entries { get; }

    /// <summary>The last column: flags that must be set afterwards.</summary>
    public string Flags { get; }

    /// <summary>Whether the context column has a word.</summary>
    public bool Has(string word) => _context.Contains(word);

    public ReferenceCapabilities Capabilities => new()
    {
        PhysicalAddressBits = int.Parse(_context.FirstOrDefault(word => word.StartsWith("width=", StringComparison.Ordinal))?[6..] ?? "46"),
        HasPage1G = !Has("no1g"),
        HasPse36 = true,
        ReservesBit8AbovePdpte = false,
        HasExecuteOnlyEpt = true,
        HasEptPage2M = true,
        HasEptPage1G = !Has("no1g"),
        TellsViolationDetails = false,
        HasNpt = false,
    };

    /// <summary>Reads every line of a table that is neither empty nor a comment.</summary>
    public static IEnumerable<WalkVector> Load(string file)
    {
        string path = Path.Combine(AppContext.BaseDirectory, "data", "paging", file);
        return File.ReadLines(path)
            .Select((line, index) => (line, number: index + 1))
            .Where(each => each.line.Trim() is { Length: > 0 } text && text[0] != '#')
            .Select(each => new WalkVector(each.line, each.number));
    }

    /// <summary>The paging context of the line.</summary>
    public PagingContext Context(WalkWorld world) => new()
    {
        Cr0 = Cr0.ProtectionEnable | Cr0.Paging | (Has("wp") ? Cr0.WriteProtect : 0),
        Cr3 = world.Root,
        Cr4 = Cr4.PhysicalAddressExtension | (Has("smep") ? Cr4.Smep : 0) | (Has("smap") ? Cr4.Smap : 0),
        Efer = Efer.LongModeEnable | Efer.LongModeActive | (Has("nxe") ? Efer.NoExecuteEnable : 0),
        Eptp = world.Eptp | (Has("ad") ? 1UL << 6 : 0),
        Vpid = (ushort)(world.Eptp == 0 ? 0 : 1),
    };

    /// <summary>Writes the guest's entries of a native line.</summary>
    public void WriteGuestEntries(WalkWorld world)
    {
        PageSize size = GuestPageSize;
        int map = PageTableBuilder.LevelOf(size);
        for (int level = 4; level >= map; level--)
        {
            string word = Entries[4 - level];
            ulong flags = word == "-" ? 0 : Letters(word, "pwu..ad.g....", ('t', 12), ('s', 7), ('x', 63));
            if (word != "-")
                flags |= world.GuestPointer(level, size) | (level == map && map > 1 ? PagingEntry.PageSizeBit : 0);
            world.Memory.Write(world.GuestEntry(level), flags);
        }
    }

    /// <summary>Writes the guest's entries of an EPT line, which are good, and the EPT entries of the page that the line is about.</summary>
    public void WriteNestedEntries(WalkWorld world)
    {
        ulong used = Has("used") ? PagingEntry.Accessed | PagingEntry.Dirty : 0;
        for (int level = 4; level >= 1; level--)
            world.Memory.Write(world.GuestEntry(level), world.GuestPointer(level, PageSize.Size4K) | PagingEntry.Present | PagingEntry.Writable | used);

        for (int page = 0; page < 5; page++)
            world.MapByEpt(page, PageSize.Size4K);

        PageSize size = (PageSize)(4 - Entries.Length);
        for (int level = 4; level > 4 - Entries.Length; level--)
        {
            string word = Entries[4 - level];
            bool isMap = level == PageTableBuilder.LevelOf(size);
            ulong value = 0;
            if (word != "-")
            {
                value = Letters(word, "rwx.....ad...", ('s', 7), ('m', 3)) | world.EptPointer(EptPage, level, size);
                if (isMap && !word.Contains('m') && (value & EptEntry.Rights) != 0)
                    value |= EptEntry.MemoryTypeWriteBack;
            }

            world.Memory.Write(world.EptEntryAddress(EptPage, level), value);
        }
    }

    /// <summary>The page of the walk whose EPT entries an EPT line gives.</summary>
    public int EptPage => Page switch
    {
        "final" => WalkWorld.FinalPage,
        "pt" => 1,
        "pd" => 2,
        "pdpt" => 3,
        "pml4" => 4,
        _ => throw new FormatException(Line),
    };

    /// <summary>The page size of a native line.</summary>
    public PageSize GuestPageSize => Page switch
    {
        "4k" => PageSize.Size4K,
        "2m" => PageSize.Size2M,
        "1g" => PageSize.Size1G,
        _ => throw new FormatException(Line),
    };

    /// <summary>The fault that the line states; null where it states success.</summary>
    public TranslationFault? Fault(WalkWorld world)
    {
        string letters = string.Concat(_outcome.Skip(1)).Replace("-", "", StringComparison.Ordinal);
        return _outcome[0] switch
        {
            "ok" => null,
            "pf" => new TranslationFault
            {
                Failure = TranslationFailure.PageFault,
                Linear = WalkWorld.Linear,
                ErrorCode = (PageFaultErrorCode)Letters(letters, "pwuri"),
            },
            "violation" => new TranslationFault
            {
                Failure = TranslationFailure.EptViolation,
                Linear = WalkWorld.Linear,
                GuestPhysical = FaultingAddress(world),
                Qualification = EptViolationQualification.LinearAddressValid
                    | (EptViolationQualification)Letters(letters.Replace("t", "", StringComparison.Ordinal), "rwxRWX..f"),
            },
            "misconfig" => new TranslationFault
            {
                Failure = TranslationFailure.EptMisconfiguration,
                Linear = WalkWorld.Linear,
                GuestPhysical = FaultingAddress(world),
            },
            _ => throw new FormatException(Line),
        };
    }

    // The guest-physical address of the guest entry, or of the data.
    private GuestPhysicalAddress FaultingAddress(WalkWorld world) => EptPage == WalkWorld.FinalPage
        ? world.FinalAddress
        : new(world.GuestPage(EptPage).Value | (world.GuestEntry(EptPage).Value & 0xFFF));

    // Bits by their place in an alphabet; iN is bit N; further letters have a place of their own, mN a number there.
    private ulong Letters(string word, string alphabet, params (char Letter, int Bit)[] more)
    {
        ulong bits = 0;
        for (int i = 0; i < word.Length; i++)
        {
            char letter = word[i];
            int digits = i + 1;
            while (digits < word.Length && char.IsAsciiDigit(word[digits]))
                digits++;
            int number = digits > i + 1 ? int.Parse(word.AsSpan(i + 1, digits - i - 1)) : -1;
            i = digits - 1;
            if (letter == 'i' && number >= 0)
                bits |= 1UL << number;
            else if (Array.Find(more, each => each.Letter == letter) is { Letter: not '\0' } found)
                bits |= (number >= 0 ? (ulong)number : 1) << found.Bit;
            else if (alphabet.IndexOf(letter) is >= 0 and var bit)
                bits |= 1UL << bit;
            else
                throw new FormatException($"'{letter}' in {Line}");
        }

        return bits;
    }

    private static string[] Words(string column) => column.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
