namespace Mmu86.Paging;

/// <summary>Reads the operations of a translation stream that are more than a few words.</summary>
public static class TranslationStreamReader
{
    /// <summary>The words of the operation that begins at a position.</summary>
    /// <exception cref="TranslationStreamException">The word begins none.</exception>
    public static int Length(ulong word) => Operation(word) switch
    {
        StreamOperation.Lookup => LookupEvent.Words,
        StreamOperation.Context => TranslationStreamWriter.ContextWords,
        StreamOperation.Table => TranslationStreamWriter.TableWords,
        StreamOperation.TableLine => TranslationStreamWriter.TableLineWords,
        StreamOperation.Invalidation => 3,
        StreamOperation.PageRemoved or StreamOperation.AddressRemoved => 2,
        StreamOperation.SpaceRemoved or StreamOperation.SpaceLeft => 1,
        StreamOperation.Mark => TranslationStreamWriter.MarkWords,
        _ => throw new TranslationStreamException($"0x{word:x} begins no operation of a translation stream"),
    };

    /// <summary>Which operation a word begins.</summary>
    public static StreamOperation Operation(ulong word) => (StreamOperation)(word & 0xF);

    /// <summary>The context that an operation tells of.</summary>
    public static PagingContext Context(ReadOnlySpan<ulong> words) => new()
    {
        Cr0 = (X86.Cr0)words[1],
        Cr3 = words[2],
        Cr4 = (X86.Cr4)words[3],
        Efer = (X86.Efer)words[4],
        Eptp = words[5],
        Vpid = (ushort)words[6],
        Pdptes = new PdpteRegisters(words[7], words[8], words[9], words[10]),
        Pkru = (uint)words[11],
        Pkrs = (uint)(words[11] >> 32),
        Pat = words[12],
    };

    /// <summary>The moment that an operation tells of.</summary>
    public static StreamMark Mark(ReadOnlySpan<ulong> words) => new()
    {
        Moment = (StreamMoment)(words[0] >> 4),
        Instructions = words[1],
        DataLookups = words[2],
        FetchLookups = words[3],
        DataBySize = [words[4], words[5], words[6]],
        FetchBySize = [words[7], words[8], words[9]],
    };
}
