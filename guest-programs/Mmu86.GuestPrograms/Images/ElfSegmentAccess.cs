namespace Mmu86.GuestPrograms;

/// <summary>The rights of a segment, by the values of p_flags.</summary>
internal enum ElfSegmentAccess : uint
{
    ReadExecute = 5,
    ReadWrite = 6,
}
