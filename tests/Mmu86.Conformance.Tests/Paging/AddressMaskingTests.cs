using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>SDM 3, "Linear-Address Masking (LAM)": which accesses lose their metadata, and which operations do not.</summary>
public sealed class AddressMaskingTests
{
    private const ulong Linear = 0x1234_5678_9000;
    private const ulong UpperLinear = 0xFFFF_9234_5678_9000;
    private const ulong Target = 0x5_0000;
    private const ulong New = 0x6_0000;
    private const ulong User57 = 1UL << 61;
    private const ulong User48 = 1UL << 62;

    // Under 4-level paging. U57 leaves bits 56:47, which must still be 0; U48 leaves bit 47 only. It has no say beside U57.
    [Theory]
    [InlineData(0UL, 1UL << 62, false)]
    [InlineData(User57, 1UL << 57, true)]
    [InlineData(User57, 0x3FUL << 57, true)]
    [InlineData(User57, 1UL << 56, false)]
    [InlineData(User57, 1UL << 48, false)]
    [InlineData(User48, 1UL << 48, true)]
    [InlineData(User48, 0x7FFFUL << 48, true)]
    [InlineData(User48, 1UL << 47, false)]
    [InlineData(User57 | User48, 1UL << 48, false)]
    [InlineData(User57 | User48, 1UL << 57, true)]
    [InlineData(User57, 1UL << 63, false)]
    [Rule("P15")]
    public void Access_OfTheLowerHalf_IgnoresTheMetadataThatCr3Says(ulong masking, ulong metadata, bool isMasked)
    {
        using PagedMachine machine = Make(masking, Cr4.None);

        Assert.Equal(isMasked ? Target : null, machine.Access(Linear | metadata));
        if (!isMasked)
            Assert.Equal(TranslationFailure.NonCanonical, machine.Mmu.Fault.Failure);
    }

    // Bit 63 stays; with 4-level paging bits 62:48 are metadata.
    [Theory]
    [InlineData(Cr4.None, 1UL << 62, false)]
    [InlineData(Cr4.LinearAddressMaskingSupervisor, 1UL << 62, true)]
    [InlineData(Cr4.LinearAddressMaskingSupervisor, 0x7FFFUL << 48, true)]
    [InlineData(Cr4.LinearAddressMaskingSupervisor, 1UL << 47, false)]
    [InlineData(Cr4.LinearAddressMaskingSupervisor, 1UL << 63, false)]
    [Rule("P15")]
    public void Access_OfTheUpperHalf_IgnoresTheMetadataThatCr4Says(Cr4 masking, ulong metadata, bool isMasked)
    {
        using PagedMachine machine = Make(0, masking);

        Assert.Equal(isMasked ? Target : null, machine.Access(UpperLinear ^ metadata));
    }

    [Fact]
    [Rule("P15")]
    public void Fetch_OfATaggedAddress_IsNotMasked()
    {
        using PagedMachine machine = Make(User57, Cr4.None);

        Assert.Null(machine.Access(Linear | (1UL << 57), AccessKind.Fetch));
        Assert.Equal(TranslationFailure.NonCanonical, machine.Mmu.Fault.Failure);
    }

    /// <summary>INVLPG takes a tagged address as it stands: it is not canonical, so nothing happens.</summary>
    [Fact]
    [Rule("P15")]
    [Rule("T06")]
    public void InvalidatePage_OfATaggedAddress_DoesNothing()
    {
        const ulong Tagged = Linear | (1UL << 57);
        using PagedMachine machine = Make(User57, Cr4.None);
        Assert.Equal(Target, machine.Access(Tagged));
        machine.Map(Linear, New);

        machine.Mmu.InvalidatePage(new(Tagged));
        Assert.Equal(Target, machine.Access(Tagged));

        machine.Mmu.InvalidatePage(new(Linear));
        Assert.Equal(New, machine.Access(Tagged));
    }

    private static PagedMachine Make(ulong user, Cr4 supervisor)
    {
        var machine = new PagedMachine(TestMmuConfigurations.Ideal());
        machine.Map(Linear, Target);
        machine.Map(UpperLinear, Target);
        PagingContext context = machine.Mmu.Context;
        machine.Mmu.SetContext(context with { Cr3 = context.Cr3 | user, Cr4 = context.Cr4 | supervisor });
        return machine;
    }
}
