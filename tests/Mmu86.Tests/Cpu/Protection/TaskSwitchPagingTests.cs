using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Rules;
using Mmu86.Tests.Cpu.Modes;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Protection;

/// <summary>CR3 in a task switch. SDM 3, "Task Switching", "Operations that Invalidate TLBs and Paging-Structure Caches", "PDPTE Registers".</summary>
public sealed class TaskSwitchPagingTests
{
    private const uint Gdt = 0x1000;
    private const uint OldTss = 0x2000;
    private const uint NewTss = 0x2100;
    private const uint OldRoot = 0x4000;
    private const uint NewRoot = 0x5000;
    private const uint OldTable = 0x6000;
    private const uint NewTable = 0x7000;
    private const uint OldFrame = 0x8000;
    private const uint NewFrame = 0x9000;
    private const uint Watched = 0x40_0000;
    private const uint NewCode = NarrowMachine.Code + 0x100;
    private const uint PresentAndWritable = 3;
    private const uint LargePage = 0x83;
    private const uint Global = 0x100;

    [Rule("T17")]
    [Theory]
    [InlineData(0u, true, 0x2222UL)]
    [InlineData(0u, false, 0x1111UL)]
    [InlineData(Global, true, 0x1111UL)]
    public void Switch_DropsNonGlobalTranslations_OnlyIfItChangesCr3(uint flags, bool changesRoot, ulong seen)
    {
        using NarrowMachine machine = NarrowMachine.Flat();
        WriteTables(machine, changesRoot ? NewRoot : OldRoot);
        Write(machine, OldTable, OldFrame | PresentAndWritable | flags);
        machine.System.Cr4 |= Cr4.PageSizeExtensions | Cr4.PageGlobalEnable;
        EnterPaging(machine);
        machine.Assemble(32, c =>
        {
            c.mov(eax, __dword_ptr[Watched]);
            if (!changesRoot)
                c.mov(__dword_ptr[OldTable], NewFrame | PresentAndWritable); // not seen: nothing is invalidated
            Jump(c);
        });

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);

        Assert.Equal(seen, machine.Registers.Rax);
        Assert.Equal(changesRoot ? NewRoot : OldRoot, machine.System.Cr3);
        Assert.True((machine.System.Cr0 & Cr0.TaskSwitched) != 0);
    }

    [Rule("P05")]
    [Theory]
    [InlineData(1u, VmExitReason.Halt)]
    [InlineData(3u, VmExitReason.Exception)]
    [InlineData(0x21u, VmExitReason.Exception)]
    public void Switch_ThatChangesCr3InPaePaging_LoadsThePdptes(uint flags, VmExitReason end)
    {
        using NarrowMachine machine = NarrowMachine.Flat();
        WriteTables(machine, NewRoot);
        foreach ((uint root, uint directory, uint table, uint frame, uint pdpteFlags) in new[]
        {
            (OldRoot, 0xA000u, OldTable, OldFrame, 1u),
            (NewRoot, 0xB000u, NewTable, NewFrame, flags),
        })
        {
            Write64(machine, root, directory | pdpteFlags);
            for (uint entry = 1; entry < 4; entry++)
                Write64(machine, root + (entry * 8), 0);
            Write64(machine, directory, LargePage);
            Write64(machine, directory + 8, (2 << 20) | LargePage);
            Write64(machine, directory + 16, table | PresentAndWritable);
            Write64(machine, table, frame | PresentAndWritable);
        }

        machine.System.Cr4 |= Cr4.PhysicalAddressExtension;
        EnterPaging(machine);
        machine.Assemble(32, c =>
        {
            c.mov(eax, OldRoot);
            c.mov(cr3, eax);
            c.mov(eax, __dword_ptr[Watched]);
            Jump(c);
        });

        VmExit exit = machine.Run();

        Assert.Equal(end, exit.Reason);
        if (end == VmExitReason.Halt)
            Assert.Equal(0x2222UL, machine.Registers.Rax);
        else
            Assert.Equal((ExceptionVector.GeneralProtection, 0u), (exit.Vector, exit.ErrorCode));
    }

    // SDM 3, "Determination of Access Rights": the processor's own accesses are of supervisor mode at any CPL.
    [Rule("R05")]
    [Fact]
    public void SegmentLoad_AtLevel3_ReadsTheGdtAsSupervisor()
    {
        const uint AbsentGdt = Watched + 0x1000;
        using NarrowMachine machine = NarrowMachine.Flat();
        WriteTables(machine, OldRoot);
        machine.System.Cr4 |= Cr4.PageSizeExtensions;
        Write(machine, OldRoot, LargePage | 4);
        machine.System.Gdtr = new DescriptorTableRegister(AbsentGdt, 0xFF);
        machine.System.Cs = machine.System.Cs with { Selector = 0x1B, Attributes = 0xC0FB };
        machine.System.Ss = machine.System.Ss with { Selector = 0x23, Attributes = 0xC0F3 };
        machine.System.Cpl = 3;
        EnterPaging(machine);
        machine.Assemble(32, c =>
        {
            c.mov(eax, 0x23);
            c.mov(ds, eax);
        });

        VmExit exit = machine.Run();

        Assert.Equal((ExceptionVector.PageFault, 0u, AbsentGdt + 0x20UL), (exit.Vector, exit.ErrorCode, exit.Linear.Value));
    }

    private static void WriteTables(NarrowMachine machine, uint root)
    {
        Write64(machine, Gdt + 0x08, 0x00CF_9B00_0000_FFFF);
        Write64(machine, Gdt + 0x10, 0x00CF_9300_0000_FFFF);
        Write64(machine, Gdt + 0x28, ProbeTables.System(0x8B, OldTss, 0x67));
        Write64(machine, Gdt + 0x30, ProbeTables.System(0x89, NewTss, 0x67));
        machine.System.Gdtr = new DescriptorTableRegister(Gdt, 0x37);
        machine.System.Tr = new SegmentRegister(0x28, OldTss, 0x67, 0x8B);
        Write(machine, NewTss + 0x1C, root);
        Write(machine, NewTss + 0x20, NewCode);
        Write(machine, NewTss + 0x24, 2);
        Write(machine, NewTss + 0x38, NarrowMachine.Code);
        foreach ((uint offset, uint selector) in new[] { (0x48u, 0x10u), (0x4Cu, 0x08u), (0x50u, 0x10u), (0x54u, 0x10u) })
            Write(machine, NewTss + offset, selector);
        foreach ((uint directory, uint table, uint frame) in new[] { (OldRoot, OldTable, OldFrame), (NewRoot, NewTable, NewFrame) })
        {
            Write(machine, directory, LargePage);
            Write(machine, directory + 4, table | PresentAndWritable);
            Write(machine, table, frame | PresentAndWritable);
        }

        Write(machine, OldFrame, 0x1111);
        Write(machine, NewFrame, 0x2222);
        machine.Assemble(32, NewCode, c =>
        {
            c.mov(eax, __dword_ptr[Watched]);
            c.hlt();
        }, NewCode);
    }

    private static void EnterPaging(NarrowMachine machine)
    {
        machine.System.Cr0 |= Cr0.Paging;
        machine.System.Cr3 = OldRoot;
        if ((machine.System.Cr4 & Cr4.PhysicalAddressExtension) != 0)
            machine.System.Pdptes = new Mmu86.Paging.PdpteRegisters(0xA001, 0, 0, 0);
        machine.Vcpu.ContextChanged();
    }

    private static void Jump(Assembler c)
    {
        c.db(0xEA);
        c.dd(0);
        c.dw(0x30);
    }

    private static void Write(NarrowMachine machine, uint address, uint value) => machine.Memory.Write(new HostPhysicalAddress(address), value);

    private static void Write64(NarrowMachine machine, uint address, ulong value) => machine.Memory.Write(new HostPhysicalAddress(address), value);
}
