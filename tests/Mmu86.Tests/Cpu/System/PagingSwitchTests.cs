using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Rules;
using Mmu86.Tests.Cpu.Modes;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>Paging switched off and on, and from one format to another, forgets every translation.</summary>
/// <remarks>SDM 3, "Operations that Invalidate TLBs and Paging-Structure Caches".</remarks>
public sealed class PagingSwitchTests
{
    private const uint Root = 0x2_0000;
    private const uint Table = 0x2_1000;
    // All that an entry may have that is a PDPTE too: R/W is reserved there.
    private const uint Present = 1;

    private const uint PresentAndWritable = 3;
    private const uint LargePage = 0x83;
    private const uint Global = 0x100;

    /// <summary>A global page is moved while it is cached; then it is read again.</summary>
    [Theory]
    [InlineData("nothing", 0x1111UL)]
    [InlineData("cr3", 0x1111UL)]
    [InlineData("cr0.pg", 0x2222UL)]
    [Rule("T09")]
    [Rule("T21")]
    public void Write_BetweenTwoReadsOfAGlobalPage_ForgetsItOrNot(string what, ulong seen)
    {
        const uint Watched = 0x40_0000;
        using NarrowMachine machine = NarrowMachine.Flat();
        Write(machine, 0x5000, 0x1111);
        Write(machine, 0x6000, 0x2222);
        Write(machine, Root, LargePage);
        Write(machine, Root + 4, Table | PresentAndWritable);
        Write(machine, Table, 0x5000 | PresentAndWritable | Global);
        machine.System.Cr4 |= Cr4.PageSizeExtensions | Cr4.PageGlobalEnable;
        machine.Assemble(32, c =>
        {
            EnablePaging(c);
            c.mov(eax, __dword_ptr[Watched]);
            c.mov(__dword_ptr[Table], 0x6000 | PresentAndWritable | Global);
            switch (what)
            {
                case "cr3":
                    c.mov(eax, cr3);
                    c.mov(cr3, eax);
                    break;
                case "cr0.pg":
                    c.mov(eax, cr0);
                    c.btr(eax, 31);
                    c.mov(cr0, eax);
                    c.bts(eax, 31);
                    c.mov(cr0, eax);
                    break;
            }

            c.mov(eax, __dword_ptr[Watched]);
            c.hlt();
        });

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);

        Assert.Equal(seen, machine.Registers.Rax);
    }

    /// <summary>
    /// One set of tables for two formats. The first doubleword of the root is a PDE of 32-bit paging and, with zeros behind it, a PDPTE; what it
    /// points to is a page table of the one, whose first two entries are, for the other, a directory's entry for a page of 2 MiB.
    /// </summary>
    [Theory]
    [InlineData(false, 0x1111UL, 0x2222UL)]
    [InlineData(true, 0x2222UL, 0x1111UL)]
    [Rule("T09")]
    [Rule("P01")]
    public void ChangeOfPae_BetweenTwoReads_ShowsTheOtherFormatsTranslation(bool beginsInPae, ulong first, ulong second)
    {
        const uint Watched = 0x3_0000;
        using NarrowMachine machine = NarrowMachine.Flat();
        Write(machine, 0x5000, 0x1111);
        Write(machine, Watched, 0x2222);
        foreach (uint offset in (uint[])[4, 8, 12, 16, 20, 24, 28])
            Write(machine, Root + offset, 0);
        Write(machine, Root, Table | Present);
        Write(machine, Table, LargePage);
        Write(machine, Table + 4, 0);
        foreach (uint page in (uint[])[NarrowMachine.Code >> 12, Root >> 12, Table >> 12])
            Write(machine, Table + (4 * page), (page << 12) | PresentAndWritable);
        Write(machine, Table + (4 * (Watched >> 12)), 0x5000 | PresentAndWritable);
        if (beginsInPae)
            machine.System.Cr4 |= Cr4.PhysicalAddressExtension;
        machine.Assemble(32, c =>
        {
            EnablePaging(c);
            c.mov(ebx, __dword_ptr[Watched]);
            // 32-bit paging has set accessed, which a PDPTE reserves. The translation of the code is cached.
            c.mov(__dword_ptr[Root], Table | Present);
            c.mov(eax, cr4);
            c.xor(eax, (int)Cr4.PhysicalAddressExtension);
            c.mov(cr4, eax);
            c.mov(eax, __dword_ptr[Watched]);
            c.hlt();
        });

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);

        Assert.Equal((first, second), (machine.Registers.Rbx, machine.Registers.Rax));
    }

    private static void EnablePaging(Assembler c)
    {
        c.mov(eax, Root);
        c.mov(cr3, eax);
        c.mov(eax, cr0);
        c.or(eax, unchecked((int)(uint)(Cr0.ProtectionEnable | Cr0.Paging)));
        c.mov(cr0, eax);
    }

    private static void Write(NarrowMachine machine, uint address, uint value) => machine.Memory.Write(new HostPhysicalAddress(address), value);
}
