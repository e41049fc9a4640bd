using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Which EPT pointers VM entry accepts. SDM 3, "VM-Execution Control Fields" under "Checks on VMX Controls" (E01).</summary>
public sealed class EptPointerTests
{
    // Width 46. Columns: EPTP, accessed and dirty flags supported, five levels supported, accepted.
    [Theory]
    [InlineData(0x1000_001E, true, false, true)] // write-back, four levels
    [InlineData(0x1000_0018, true, false, true)] // uncacheable
    [InlineData(0x1000_0019, true, false, false)] // memory types 1 to 5 and 7
    [InlineData(0x1000_001A, true, false, false)]
    [InlineData(0x1000_001C, true, false, false)]
    [InlineData(0x1000_001D, true, false, false)]
    [InlineData(0x1000_001F, true, false, false)]
    [InlineData(0x1000_005E, true, false, true)] // accessed and dirty flags
    [InlineData(0x1000_005E, false, false, false)]
    [InlineData(0x1000_0026, true, false, false)] // five levels
    [InlineData(0x1000_0026, true, true, true)]
    [InlineData(0x1000_0016, true, true, false)] // three levels, six levels
    [InlineData(0x1000_002E, true, true, false)]
    [InlineData(0x1000_0006, true, true, false)]
    [InlineData(0x1000_009E, true, false, false)] // bits 11:7
    [InlineData(0x1000_081E, true, false, false)]
    [InlineData(0x2000_0000_001E, true, false, true)] // the widest address
    [InlineData(0x4000_0000_001E, true, false, false)]
    [InlineData(unchecked((long)0x8000_0000_1000_001E), true, false, false)]
    [Rule("E01")]
    [Rule("E22")]
    public void AcceptsEptPointer_OfThisMachine_AsTheManualSays(long eptp, bool hasFlags, bool hasFiveLevels, bool accepted)
    {
        MmuConfiguration configuration = TestMmuConfigurations.Ideal();
        configuration = configuration with { Nested = configuration.Nested with { AccessedAndDirty = hasFlags, FiveLevels = hasFiveLevels } };
        using var machine = new PagedMachine(configuration);

        Assert.Equal(accepted, machine.Mmu.AcceptsEptPointer((ulong)eptp));
        Assert.Equal(accepted ? VmInstructionError.None : VmInstructionError.InvalidOperandToInvalidation, machine.Mmu.Invept(1, (ulong)eptp));
    }

    [Theory]
    [InlineData(0x21_0000, true)]
    [InlineData(0x21_0008, false)]
    [InlineData(1L << 46, false)]
    [Rule("E10")]
    public void AreValid_AddressOfTheLog_MustBeAFrameWithinTheWidth(long address, bool valid) =>
        Assert.Equal(valid, new NestedControls { PageModificationLog = new((ulong)address) }.AreValid(46));
}
