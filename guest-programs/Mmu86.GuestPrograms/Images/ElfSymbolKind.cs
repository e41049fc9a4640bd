namespace Mmu86.GuestPrograms;

/// <summary>What a symbol names, by the values of STT_*.</summary>
internal enum ElfSymbolKind : byte
{
    Label = 0,
    Data = 1,
    Function = 2,
}
