using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>EXITINFO1 of nested page faults, by the vectors that kvm-unit-tests asserts on AMD's processors.</summary>
public sealed class NestedPageFaultTests
{
    private const ulong Linear = 0x7000_1234_5000;
    private const ulong Frame = 0x5_0000;
    private const ulong NestedPage = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;
    private const ulong Xd = PagingEntry.ExecuteDisable;
    private const ulong Reserved = 1UL << 51;

    // What is done to the nested entry of the final page or of the guest's page table: bits set, bits cleared.
    [Theory]
    [InlineData(AccessKind.Read, "final", 0, PagingEntry.Present, 0x1_0000_0004UL)]
    [InlineData(AccessKind.Read, "final", 0, PagingEntry.User, 0x1_0000_0005UL)]
    [InlineData(AccessKind.Write, "final", 0, PagingEntry.Writable, 0x1_0000_0007UL)]
    [InlineData(AccessKind.Fetch, "final", Xd, 0, 0x1_0000_0015UL)]
    [InlineData(AccessKind.Read, "final", Reserved, 0, 0x1_0000_000DUL)]
    [InlineData(AccessKind.Read, "table", 0, PagingEntry.Writable, 0x2_0000_0007UL)]
    [InlineData(AccessKind.Read, "table", Reserved, 0, 0x2_0000_000FUL)]
    [Rule("N02")]
    [Rule("N03")]
    [Rule("N04")]
    [Rule("N05")]
    public void Access_VectorOfTheUnitTests_HasThatErrorCode(AccessKind kind, string where, ulong set, ulong clear, ulong expected)
    {
        using PagedMachine machine = Make(NptPointer.NoExecute, out EptBuilder nested);
        GuestPhysicalAddress page = where == "final" ? new(Frame) : machine.Tables.Table(new(Linear), 1);
        nested.Change(page, 1, set, clear);

        Assert.Null(machine.Access(Linear, kind));

        TranslationFault fault = machine.Mmu.Fault;
        Assert.Equal(TranslationFailure.NestedPageFault, fault.Failure);
        Assert.Equal(expected, (ulong)fault.NestedErrorCode);
        Assert.Equal(where == "final" ? new(Frame) : new GuestPhysicalAddress(page.Value + (((Linear >> 12) & 0x1FF) * 8)), fault.GuestPhysical);
    }

    // The I/D bit of a fetch needs the host's NXE or SMEP.
    [Theory]
    [InlineData(0UL, 0x1_0000_0004UL)]
    [InlineData(NptPointer.Smep, 0x1_0000_0014UL)]
    [InlineData(NptPointer.NoExecute, 0x1_0000_0014UL)]
    [Rule("N05")]
    public void Fetch_OfAnAbsentPage_IsToldAsOneByTheHostsControls(ulong controls, ulong expected)
    {
        using PagedMachine machine = Make(controls, out EptBuilder nested);
        nested.Change(new(Frame), 1, 0, PagingEntry.Present);

        Assert.Null(machine.Access(Linear, AccessKind.Fetch));

        Assert.Equal(expected, (ulong)machine.Mmu.Fault.NestedErrorCode);
    }

    [Fact]
    [Rule("N11")]
    public void Fetch_BySupervisorFromAUserPageUnderTheTrap_Faults()
    {
        using PagedMachine machine = Make(NptPointer.NoExecute | NptPointer.GuestModeExecuteTrap, out EptBuilder nested);

        Assert.Null(machine.Access(Linear, AccessKind.Fetch));
        Assert.Equal(0x1_0000_0011UL, (ulong)machine.Mmu.Fault.NestedErrorCode & ~(ulong)NestedPageFaultErrorCode.User);

        nested.Change(new(Frame), 1, 0, PagingEntry.User);
        machine.Mmu.TryApplyTlbControl(3);
        Assert.Equal(Frame, machine.Access(Linear, AccessKind.Fetch));
    }

    [Fact]
    [Rule("N03")]
    public void Access_Read_SetsTheDirtyFlagOfEveryGuestTablesPage()
    {
        using PagedMachine machine = Make(NptPointer.NoExecute, out EptBuilder nested);

        Assert.Equal(Frame, machine.Access(Linear));

        for (int level = 4; level >= 1; level--)
            Assert.Equal(PagingEntry.Dirty, nested.Read(machine.Tables.Table(new(Linear), level), 1) & PagingEntry.Dirty);
        Assert.Equal(0UL, nested.Read(new(Frame), 1) & PagingEntry.Dirty);
    }

    // N07: a PAE guest has no PDPTE registers: a reserved bit is no #GP at the load but a #PF at the access, and a change shows at once.
    [Theory]
    [InlineData(PagingEntry.Present, PageFaultErrorCode.None, true)]
    [InlineData(0UL, PageFaultErrorCode.None, false)]
    [InlineData(PagingEntry.Present | 2, PageFaultErrorCode.Present | PageFaultErrorCode.Reserved, false)]
    [InlineData(PagingEntry.Present | 0x20, PageFaultErrorCode.Present | PageFaultErrorCode.Reserved, false)]
    [InlineData(PagingEntry.Present | (1UL << 63), PageFaultErrorCode.Present | PageFaultErrorCode.Reserved, false)]
    [Rule("N07")]
    public void Access_OfAPaeGuest_ReadsThePdpteInMemory(ulong flags, PageFaultErrorCode expected, bool succeeds)
    {
        const ulong Low = 0x4012_3000;
        using PagedMachine machine = Make(NptPointer.NoExecute, out EptBuilder nested);
        ulong pointers = machine.NewFrame().Address.Value;
        ulong directory = machine.NewFrame().Address.Value;
        machine.Memory.Write(new HostPhysicalAddress(directory), 0x20_0000 | PagedMachine.Page | PagingEntry.PageSizeBit);
        machine.Memory.Write(new HostPhysicalAddress(pointers + 0x28), directory | flags);
        PagingContext context = machine.Mmu.Context with
        {
            Cr3 = pointers + 0x20,
            Cr4 = Cr4.PhysicalAddressExtension,
            Efer = Efer.NoExecuteEnable,
        };
        Assert.Equal(PdpteLoad.Loaded, machine.Mmu.LoadPdptes(context.Cr3, out PdpteRegisters registers));
        machine.Mmu.SetContext(context with { Pdptes = registers });

        Assert.Equal(succeeds ? 0x32_3000UL : null, machine.Access(Low));

        if (!succeeds)
            Assert.Equal((TranslationFailure.PageFault, expected), (machine.Mmu.Fault.Failure, machine.Mmu.Fault.ErrorCode));
        Assert.Equal(PagingEntry.Dirty, nested.Read(new(pointers), 1) & PagingEntry.Dirty);
    }

    [Theory]
    [InlineData(0x10_0000UL, Cr0.Paging, Cr4.PhysicalAddressExtension, Efer.LongModeActive, 4)]
    [InlineData(1UL << 46, Cr0.Paging, Cr4.PhysicalAddressExtension, Efer.LongModeActive, 0)] // beyond the physical width
    [InlineData(0x10_0000UL, Cr0.None, Cr4.PhysicalAddressExtension, Efer.None, 0)] // a host without paging
    [InlineData(0x10_0020UL, Cr0.Paging, Cr4.PhysicalAddressExtension, Efer.None, 3)] // PAE paging
    [InlineData(0x10_0000UL, Cr0.Paging, Cr4.PageSizeExtensions, Efer.None, 2)] // 32-bit paging
    [InlineData(1UL << 32, Cr0.Paging, Cr4.None, Efer.None, 0)]
    [Rule("N01")]
    public void TryMake_RootOfAHost_AsVmrunTakesIt(ulong root, Cr0 cr0, Cr4 cr4, Efer efer, int levels)
    {
        Assert.Equal(levels != 0, TryMake(Host() with { NestedCr3 = root, Cr0 = cr0, Cr4 = cr4, Efer = efer }, out ulong pointer));

        if (levels != 0)
            Assert.Equal(levels, EptPointer.Levels(pointer));
        if (levels == 3)
            Assert.Equal(root, NptPointer.PaeTable(pointer));
    }

    // APM 2, "Virtual Machine Control Block": bits 3 and 6 of the word at 090h.
    [Theory]
    [InlineData(1UL << 3, NptPointer.GuestModeExecuteTrap)]
    [InlineData(1UL << 6, NptPointer.ReadOnlyGuestTables)]
    [Rule("N11")]
    public void TryMake_ControlsOfTheVmcb_AreInTheWord(ulong control, ulong expected)
    {
        Assert.True(TryMake(Host() with { Control = control }, out ulong pointer));

        Assert.Equal(expected, pointer & (NptPointer.GuestModeExecuteTrap | NptPointer.ReadOnlyGuestTables));
    }

    [Theory]
    [InlineData(0x0007_0406_0007_0406UL, 1u, true)]
    [InlineData(0x0007_0406_0007_0402UL, 1u, false)] // 2 is no memory type
    [InlineData(0x0807_0406_0007_0406UL, 1u, false)]
    [InlineData(0x0007_0406_0007_0406UL, 0u, false)] // the host's ASID
    [Rule("N01")]
    [Rule("N10")]
    public void TryMake_GuestPatAndAsid_AreChecked(ulong pat, uint asid, bool accepted) =>
        Assert.Equal(accepted, TryMake(Host() with { GuestPat = pat, Asid = asid }, out _));

    private static bool TryMake(NestedPagingHost host, out ulong pointer) => NptPointer.TryMake(host, TestMmuConfigurations.Nested(), 46, out pointer);

    private static NestedPagingHost Host() => new()
    {
        NestedCr3 = 0x10_0000,
        Cr0 = Cr0.Paging,
        Cr4 = Cr4.PhysicalAddressExtension,
        Efer = Efer.LongModeActive,
        Control = 0,
        GuestPat = 0x0007_0406_0007_0406,
        Asid = 1,
    };

    private static PagedMachine Make(ulong controls, out EptBuilder nested)
    {
        MmuConfiguration configuration = TestMmuConfigurations.Ideal();
        var machine = new PagedMachine(configuration with { Nested = configuration.Nested with { Format = NestedFormat.Npt } });
        machine.Map(Linear, Frame);
        nested = machine.NewEpt();
        for (ulong page = 0; page < 0x80_0000; page += 0x1000)
            nested.Map(new(page), new(page), PageSize.Size4K, NestedPage);
        machine.Use(machine.Tables, pcid: 0, (nested.Eptp & EptPointer.AddressMask) | EptPointer.FourLevels | NptPointer.On | controls, vpid: 1);
        return machine;
    }
}
