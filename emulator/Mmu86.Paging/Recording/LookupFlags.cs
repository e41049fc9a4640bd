namespace Mmu86.Paging;

/// <summary>Flags of a <see cref="LookupEvent"/>, where its first word has them.</summary>
[Flags]
internal enum LookupFlags : ulong
{
    None = 0,
    Failed = 1 << 12,
    Missed = 1 << 13,
    Global = 1 << 14,
}
