using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>What EPT says about one guest-physical address that an access may use.</summary>
/// <param name="Address">The host-physical address.</param>
/// <param name="Size">The EPT page.</param>
/// <param name="Rights">The logical AND of bits 2:0 (and 10) of all entries used.</param>
/// <param name="Entry">The entry that maps the page.</param>
/// <param name="EntryAddress">Where that entry lies.</param>
/// <param name="PermitsPagingWrites">Whether the processor may set accessed and dirty flags of guest entries in the page.</param>
internal readonly record struct ReferenceEptPage(
    HostPhysicalAddress Address, PageSize Size, ulong Rights, ulong Entry, HostPhysicalAddress EntryAddress, bool PermitsPagingWrites);
