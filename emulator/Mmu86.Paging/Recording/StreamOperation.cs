namespace Mmu86.Paging;

/// <summary>What a word of a translation stream begins: bits 3:0 of it.</summary>
public enum StreamOperation
{
    /// <summary>Lookups of one page (<see cref="LookupEvent"/>): two words.</summary>
    Lookup = 0,

    /// <summary>A context came into force: 13 words (<see cref="TranslationStreamWriter.Context"/>).</summary>
    Context = 1,

    /// <summary>A paging table as it is from now on: the word, and its 512 words.</summary>
    Table = 2,

    /// <summary>A 64-byte line of a paging table as it is from now on: the word and 8 more.</summary>
    TableLine = 3,

    /// <summary>A call of <see cref="IMmu"/> that invalidates: the word, and two operands.</summary>
    Invalidation = 4,

    /// <summary>The base machine dropped the entries of a page: the word with the tag's space, and the address.</summary>
    PageRemoved = 5,

    /// <summary>The base machine dropped every entry of a space: the word with the tag's space.</summary>
    SpaceRemoved = 6,

    /// <summary>The base machine's first level for fetches (bit 4 set) or for data dropped a space that it has no slot for: the word with the tag's space
    /// in the bits above.</summary>
    SpaceLeft = 8,

    /// <summary>A moment of the run, with the lookups made so far (<see cref="StreamMark"/>): 10 words.</summary>
    Mark = 7,

    /// <summary>The base machine dropped what answers for an address, and no other fragment of its guest page: the word with the tag's space, and the address.</summary>
    AddressRemoved = 9,
}
