using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.Memory;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.Tests.Cpu.Modes;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>When the PDPTE registers are loaded, what refuses the load, and that nothing else changes them.</summary>
public sealed class PdpteRegisterTests
{
    // The table is 32-byte aligned and need not begin a page.
    private const uint Table = 0x2_0020;
    private const uint OtherTable = 0x2_0040;
    private const uint Directory = 0x2_1000;

    // Reached through the directory's second entry, which maps the first 2 MiB too.
    private const uint Alias = 0x20_0000;

    private const uint Enable = (uint)(Cr0.ProtectionEnable | Cr0.Paging);

    [Fact]
    [Rule("P01")]
    [Rule("P05")]
    public void MovToCr0_EnablingPaePaging_LoadsThem()
    {
        using NarrowMachine machine = Machine();

        VmExit exit = Run(machine, c =>
        {
            EnablePaging(c);
            c.mov(eax, __dword_ptr[Alias + 0x5000]);
            c.hlt();
        });

        Assert.Equal(VmExitReason.Halt, exit.Reason);
        Assert.Equal(0x1234_5678UL, machine.Registers.Rax);
    }

    // Bits 2:1 and 8:5, those from MAXPHYADDR = 46 on, and XD whatever EFER.NXE: reserved where P=1, no error where P=0.
    [Theory]
    [InlineData(0x1UL, true)]
    [InlineData(0x19UL, true)]
    [InlineData(0xE01UL, true)]
    [InlineData(0x2000_0000_0001UL, true)]
    [InlineData(0x3UL, false)]
    [InlineData(0x5UL, false)]
    [InlineData(0x21UL, false)]
    [InlineData(0x41UL, false)]
    [InlineData(0x81UL, false)]
    [InlineData(0x101UL, false)]
    [InlineData(0x4000_0000_0001UL, false)]
    [InlineData(0x8000_0000_0000_0001UL, false)]
    [InlineData(0x8000_4000_0000_01E6UL, true)]
    [Rule("P05")]
    [Rule("F09")]
    public void MovToCr0_FourthEntryOfTheTable_IsCheckedAsOneOfFour(ulong fourth, bool isAllowed)
    {
        using NarrowMachine machine = Machine();
        machine.Memory.Write(new HostPhysicalAddress(Table + 24), fourth);

        VmExit exit = Run(machine, c =>
        {
            EnablePaging(c);
            c.hlt();
        });

        Assert.Equal(isAllowed ? VmExitReason.Halt : VmExitReason.Exception, exit.Reason);
        if (isAllowed)
            return;
        Assert.Equal((ExceptionVector.GeneralProtection, 0u), (exit.Vector, exit.ErrorCode));
        Assert.Equal(Cr0.None, machine.System.Cr0 & Cr0.Paging);
        Assert.Equal(0UL, machine.System.Pdptes.First);
    }

    /// <summary>Each write that reloads: after the first entry was cleared in memory, the next fetch faults. The others go on with the registers.</summary>
    [Theory]
    [InlineData("nothing", false)]
    [InlineData("cr3", true)]
    [InlineData("cr4.pge", true)]
    [InlineData("cr4.pse", true)]
    [InlineData("cr4.smep", true)]
    [InlineData("cr4.tsd", false)]
    [InlineData("cr0.cd", true)]
    [InlineData("cr0.wp", false)]
    [InlineData("cr0.ts", false)]
    [Rule("P05")]
    [Rule("T24")]
    public void Write_OfAControlRegister_ReloadsWhereTheManualSaysSo(string what, bool reloads)
    {
        using NarrowMachine machine = Machine();

        VmExit exit = Run(machine, c =>
        {
            EnablePaging(c);
            c.mov(__dword_ptr[Table], 0);
            switch (what)
            {
                case "cr3":
                    c.mov(eax, cr3);
                    c.mov(cr3, eax);
                    break;
                case "cr4.pge" or "cr4.pse" or "cr4.smep" or "cr4.tsd":
                    c.mov(eax, cr4);
                    c.xor(eax, what switch { "cr4.pge" => 0x80, "cr4.pse" => 0x10, "cr4.smep" => 1 << 20, _ => 4 });
                    c.mov(cr4, eax);
                    break;
                case "cr0.cd" or "cr0.wp" or "cr0.ts":
                    c.mov(eax, cr0);
                    c.xor(eax, what switch { "cr0.cd" => 1 << 30, "cr0.wp" => 1 << 16, _ => 8 });
                    c.mov(cr0, eax);
                    break;
                default:
                    c.invlpg(__[Alias]);
                    break;
            }

            c.mov(eax, __dword_ptr[Alias + 0x5000]);
            c.hlt();
        });

        Assert.Equal(!reloads, machine.System.Pdptes.First != 0);
        Assert.Equal(reloads ? VmExitReason.Exception : VmExitReason.Halt, exit.Reason);
        if (reloads)
            Assert.Equal(ExceptionVector.PageFault, exit.Vector);
    }

    [Fact]
    [Rule("P05")]
    public void MovToCr3_ToABadTable_ChangesNothing()
    {
        using NarrowMachine machine = Machine();
        machine.Memory.Write(new HostPhysicalAddress(OtherTable), 0x3UL);

        VmExit exit = Run(machine, c =>
        {
            EnablePaging(c);
            c.mov(eax, OtherTable);
            c.mov(cr3, eax);
        });

        Assert.Equal(ExceptionVector.GeneralProtection, exit.Vector);
        Assert.Equal(Table, machine.System.Cr3);
        Assert.Equal(Directory | PagingEntry.Present, machine.System.Pdptes.First);
    }

    /// <summary>Through EPT, as a read: a violation tells no linear address, and the instruction runs again afterwards.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Rule("E20")]
    public void MovToCr0_TableThatEptDoesNotMap_IsAViolationOfARead(bool hasAccessedAndDirtyFlags)
    {
        using NarrowMachine machine = Machine();
        var ept = new EptBuilder(machine.Memory, new FrameAllocator(new HostFrameNumber(0x100), 16));
        ept.MapRange(default, default, 0x100, PageSize.Size4K);
        ept.Write(new GuestPhysicalAddress(Table), 1, 0);
        machine.Vcpu.ContextChanged(hasAccessedAndDirtyFlags ? ept.EptpWithAccessedAndDirty : ept.Eptp, 1);

        VmExit exit = Run(machine, c =>
        {
            EnablePaging(c);
            c.hlt();
        });

        Assert.Equal(VmExitReason.EptViolation, exit.Reason);
        Assert.Equal(Table, exit.GuestPhysical.Value);
        Assert.Equal(1UL, (ulong)exit.Qualification);
        Assert.Equal(Cr0.None, machine.System.Cr0 & Cr0.Paging);

        ept.Map(new GuestPhysicalAddress(Table), new HostPhysicalAddress(Table), PageSize.Size4K, EptEntry.Read | EptEntry.MemoryTypeWriteBack);
        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);
        Assert.Equal(Directory | PagingEntry.Present, machine.System.Pdptes.First);
    }

    private static NarrowMachine Machine()
    {
        NarrowMachine machine = NarrowMachine.Flat();
        const ulong Page = PagingEntry.Present | PagingEntry.Writable | PagingEntry.PageSizeBit;
        machine.Memory.Write(new HostPhysicalAddress(Table), Directory | PagingEntry.Present);
        machine.Memory.Write(new HostPhysicalAddress(Directory), Page);
        machine.Memory.Write(new HostPhysicalAddress(Directory + 8), Page);
        machine.Memory.Write(new HostPhysicalAddress(0x5000), 0x1234_5678u);
        return machine;
    }

    private static void EnablePaging(Assembler c)
    {
        c.mov(eax, cr4);
        c.or(eax, (int)Cr4.PhysicalAddressExtension);
        c.mov(cr4, eax);
        c.mov(eax, Table);
        c.mov(cr3, eax);
        c.mov(eax, cr0);
        c.or(eax, unchecked((int)Enable));
        c.mov(cr0, eax);
    }

    private static VmExit Run(NarrowMachine machine, Action<Assembler> write)
    {
        machine.Assemble(32, write);
        return machine.Run();
    }
}
