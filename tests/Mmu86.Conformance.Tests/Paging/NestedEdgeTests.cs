using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Rules of EPT that a matrix of entries does not meet.</summary>
public sealed class NestedEdgeTests
{
    private const ulong Linear = 0x7000_1234_5000;
    private const ulong Frame = 0x5_0000;

    [Fact]
    [Rule("E27")]
    public void Access_ToAnAddressBeyondTheWalk_IsAViolationThatIsNeverConverted()
    {
        const ulong Beyond = 1UL << 48;
        using PagedMachine machine = Make(52, out EptBuilder ept);
        machine.Map(Linear, Beyond);
        machine.Mmu.SetContext(machine.Mmu.Context with { Nested = new NestedControls { VirtualizationExceptionArea = new(0xF0_0000) } });

        Assert.Null(machine.Access(Linear));

        // A read of the final address, and no rights at all.
        Assert.Equal(
            (TranslationFailure.EptViolation, 0x181UL, Beyond, false),
            (machine.Mmu.Fault.Failure, (ulong)machine.Mmu.Fault.Qualification, machine.Mmu.Fault.GuestPhysical.Value, machine.Mmu.Fault.IsConvertible));
        Assert.Equal(ept.Eptp, machine.Mmu.Context.Eptp);
    }

    [Fact]
    [Rule("E25")]
    public void SetContext_OfARootThatEptDoesNotMap_ShowsAtTheNextAccess()
    {
        using PagedMachine machine = Make(46, out EptBuilder ept);
        machine.Map(Linear, Frame);
        Assert.Equal(Frame, machine.Access(Linear));
        PageTableBuilder other = machine.NewTables();
        ept.Write(other.Root, 1, 0);

        machine.Use(other, pcid: 0, ept.Eptp, vpid: 1);
        machine.Mmu.InvalidatePcid(0);
        Assert.Null(machine.Access(Linear));

        // A read of a guest table.
        Assert.Equal(0x81UL, (ulong)machine.Mmu.Fault.Qualification);
        Assert.Equal(other.Root, new GuestPhysicalAddress(machine.Mmu.Fault.GuestPhysical.Value & ~0xFFFUL));
    }

    [Theory]
    [InlineData(PagedMachine.Page)]
    [InlineData(PagedMachine.Page | PagingEntry.Global)]
    [Rule("E12")]
    [Rule("E26")]
    public void Violation_DropsWhatItRefused_AndNothingElse(ulong flags)
    {
        const ulong Neighbour = Linear + 0x1000;
        using PagedMachine machine = Make(46, out EptBuilder ept);
        machine.Map(Linear, Frame, flags: flags);
        machine.Map(Neighbour, Frame + 0x1000, flags: flags);
        ept.Change(new(Frame), 1, 0, EptEntry.Write);
        Assert.Equal(Frame, machine.Access(Linear));
        Assert.Equal(Frame + 0x1000, machine.Access(Neighbour));
        Assert.Null(machine.Access(Linear, AccessKind.Write));

        ept.Map(new(Frame), new(0x60_0000), PageSize.Size4K, PagedMachine.EptPage);
        ept.Map(new(Frame + 0x1000), new(0x60_1000), PageSize.Size4K, PagedMachine.EptPage);

        Assert.Equal(0x60_0000UL, machine.Access(Linear));
        Assert.Equal(Frame + 0x1000, machine.Access(Neighbour));
    }

    [Fact]
    [Rule("E12")]
    public void Violation_InsideALargeGuestPage_DropsTheFragmentOfItsAddressAlone()
    {
        const ulong Page = 0x7000_1220_0000, Target = 0x20_0000, Changed = 0x40_0000, Refused = 0x3000, Other = 0x4000;
        using PagedMachine machine = Make(46, out EptBuilder ept);
        machine.Map(Page, Target, PageSize.Size2M);
        ept.Change(new(Target + Refused), 1, 0, EptEntry.Write);
        Assert.Equal(Target + Refused, machine.Access(Page + Refused));
        Assert.Equal(Target + Other, machine.Access(Page + Other));
        Assert.Null(machine.Access(Page + Refused, AccessKind.Write));

        // By the guest's tables: what leads from guest-physical addresses may be cached of its own.
        machine.Map(Page, Changed, PageSize.Size2M);

        Assert.Equal(Changed + Refused, machine.Access(Page + Refused));
        Assert.Equal(Target + Other, machine.Access(Page + Other));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Rule("E20")]
    public void LoadPdptes_ThroughEpt_IsAReadWithoutALinearAddress(bool hasFlags)
    {
        // EPT permits reads of the table only: with its flags on, an access to any other guest table would be refused.
        const ulong Table = 0x7_0000;
        using PagedMachine machine = Make(46, out EptBuilder ept);
        machine.Mmu.SetContext(machine.Mmu.Context with { Eptp = hasFlags ? ept.EptpWithAccessedAndDirty : ept.Eptp });
        ept.Change(new(Table), 1, 0, EptEntry.Write);
        machine.Memory.Write(new HostPhysicalAddress(Table + 0x20), 0x1001UL);

        Assert.Equal(PdpteLoad.Loaded, machine.Mmu.LoadPdptes(Table + 0x20, out PdpteRegisters loaded));
        Assert.Equal(0x1001UL, loaded.First);
        Assert.Equal(0UL, ept.Read(new(Table), 1) & EptEntry.Dirty);

        ept.Write(new(Table), 1, EptEntry.Execute);
        machine.Mmu.InvalidateEptAll();
        Assert.Equal(PdpteLoad.Refused, machine.Mmu.LoadPdptes(Table + 0x20, out _));

        // A read; bits 8:7 are clear.
        Assert.Equal((TranslationFailure.EptViolation, 0x21UL), (machine.Mmu.Fault.Failure, (ulong)machine.Mmu.Fault.Qualification));
        Assert.Equal(Table, machine.Mmu.Fault.GuestPhysical.Value & ~0xFFFUL);
    }

    [Fact]
    [Rule("E08")]
    public void Misconfiguration_OfATable_TellsTheGuestPhysicalAddressAndNoQualification()
    {
        using PagedMachine machine = Make(46, out EptBuilder ept);
        machine.Map(Linear, Frame);
        GuestPhysicalAddress table = machine.Tables.Table(new(Linear), 1);
        ept.Write(table, 1, table.Value | EptEntry.Write);

        Assert.Null(machine.Access(Linear));

        Assert.Equal((TranslationFailure.EptMisconfiguration, EptViolationQualification.None), (machine.Mmu.Fault.Failure, machine.Mmu.Fault.Qualification));
        Assert.Equal(table, new GuestPhysicalAddress(machine.Mmu.Fault.GuestPhysical.Value & ~0xFFFUL));
    }

    private static PagedMachine Make(int width, out EptBuilder ept)
    {
        var machine = new PagedMachine(TestMmuConfigurations.Ideal() with { PhysicalAddressBits = width });
        ept = machine.NewEpt();
        ept.MapRange(new(0), new(0), (int)(machine.Memory.SizeInBytes >> 12), PageSize.Size4K);
        machine.Use(machine.Tables, pcid: 0, ept.Eptp, vpid: 1);
        return machine;
    }
}
