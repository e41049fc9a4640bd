using Iced.Intel;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>INVLPGB and TLBSYNC where CPUID names them, and INVLPGA, which IA32_EFER.SVME allows.</summary>
public sealed class BroadcastInvalidationTests
{
    private const ulong Window = 0x5000_0000;
    private const ulong Address = 1, Pcid = 2, Asid = 4, Globals = 8, Nested = 32;

    // APM 3, "INVLPGB". The page before Data is named and one more; its PCID is 0 while CR4.PCIDE=0. A global page stays unless globals are named.
    [Theory]
    [InlineData(Address | Asid, 1, 0, false, "#PF 0x0")]
    [InlineData(Address | Asid, 0, 0, false, "halt")] // the first page only
    [InlineData(Address | Asid, 0x8000_0001, 0, false, "halt")] // steps of 2 MiB
    [InlineData(Address | Pcid | Asid, 1, 0, false, "#PF 0x0")]
    [InlineData(Address | Asid, 1, 5, false, "halt")] // another ASID
    [InlineData(Address, 1, 0, false, "#PF 0x0")] // every ASID
    [InlineData(Asid, 0, 0, false, "#PF 0x0")]
    [InlineData(Pcid | Asid, 0, 0, false, "#PF 0x0")]
    [InlineData(Asid, 0, 0, true, "halt")]
    [InlineData(Asid | Globals, 0, 0, true, "#PF 0x0")]
    [InlineData(Address | Pcid | Asid, 1, 0, true, "halt")]
    [InlineData(Address | Pcid | Asid | Globals, 1, 0, true, "#PF 0x0")]
    [InlineData(Nested, 0, 0, true, "#PF 0x0")]
    [Rule("T18")]
    public void Invlpgb_OfAPageTakenAway_MakesItSeenByItsScope(ulong what, uint pages, uint spaces, bool isGlobal, string outcome)
    {
        using BareMachine machine = Machine();
        ulong entry = ShowEntryOfData(machine, isGlobal);
        machine.Assemble(c =>
        {
            c.mov(rsi, BareMachine.Data);
            c.mov(rbx, __qword_ptr[rsi]);
            c.mov(rdi, Window | (entry & 0xFFF));
            c.and(__byte_ptr[rdi], 0xFE);
            c.mov(rax, ((BareMachine.Data - 0x1000) & ~0xFFFUL) | what);
            c.mov(ecx, pages);
            c.mov(edx, spaces);
            c.db(0x0F, 0x01, 0xFE);
            c.db(0x0F, 0x01, 0xFF);
            c.mov(rbx, __qword_ptr[rsi]);
            c.hlt();
        });

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    // APM 3, "INVLPGA": the page in rAX of the ASID in ECX, globals too.
    [Theory]
    [InlineData(BareMachine.Data, 0, false, "#PF 0x0")]
    [InlineData(BareMachine.Data + 0x123, 0, true, "#PF 0x0")]
    [InlineData(BareMachine.Data, 5, false, "halt")] // another ASID
    [InlineData(BareMachine.Data - 0x1000, 0, false, "halt")] // another page
    public void Invlpga_OfAPageTakenAway_MakesItSeenInItsAsid(ulong address, uint asid, bool isGlobal, string outcome)
    {
        using BareMachine machine = Machine();
        machine.System.Efer |= Efer.SvmEnable;
        ulong entry = ShowEntryOfData(machine, isGlobal);
        machine.Assemble(c =>
        {
            c.mov(rsi, BareMachine.Data);
            c.mov(rbx, __qword_ptr[rsi]);
            c.mov(rdi, Window | (entry & 0xFFF));
            c.and(__byte_ptr[rdi], 0xFE);
            c.mov(rax, address);
            c.mov(ecx, asid);
            c.db(0x0F, 0x01, 0xDF);
            c.mov(rbx, __qword_ptr[rsi]);
            c.hlt();
        });

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    [Theory]
    [InlineData(0x40UL, 0u, 0u, "#GP 0x0")] // bits 11:6 of rAX
    [InlineData(0x800UL, 0u, 0u, "#GP 0x0")]
    [InlineData(1UL, 7u, 0u, "halt")]
    [InlineData(1UL, 8u, 0u, "#GP 0x0")] // more pages than CPUID says
    [InlineData(1UL, 0x1_0000u, 0u, "#GP 0x0")]
    [InlineData(0UL, 0u, 0x1000_0000u, "#GP 0x0")] // bits 31:28 of EDX
    [InlineData(2UL, 0u, 0x0001_0000u, "#GP 0x0")] // a PCID while CR4.PCIDE=0
    [InlineData(0UL, 0u, 0x0001_0000u, "halt")]
    [Rule("T18")]
    public void Invlpgb_OfOperands_IsAllowedOrRefused(ulong rax, uint ecx, uint edx, string outcome)
    {
        using BareMachine machine = Machine();
        machine.Registers.Rax = rax;
        machine.Registers.Rcx = ecx;
        machine.Registers.Rdx = edx;
        machine.Assemble(c =>
        {
            c.db(0x0F, 0x01, 0xFE);
            c.hlt();
        });

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    [Theory]
    [InlineData(0xFE)]
    [InlineData(0xFF)]
    [Rule("T18")]
    public void BroadcastInvalidation_ByAUser_IsAFault(byte last)
    {
        using BareMachine machine = Machine();
        machine.System.Cpl = 3;
        machine.Tables.Change(new LinearAddress(BareMachine.Code), 1, PagingEntry.User, 0);
        machine.Vcpu.ContextChanged();
        machine.Assemble(c => c.db(0x0F, 0x01, last));

        Assert.Equal("#GP 0x0", MachineOutcome.Run(machine));
    }

    // The entry of the page of data is at the window, where the guest takes the page away. Returns the entry's address.
    private static ulong ShowEntryOfData(BareMachine machine, bool isGlobal)
    {
        machine.System.Cr4 |= Cr4.PageGlobalEnable;
        machine.Vcpu.ContextChanged();
        if (isGlobal)
            machine.Tables.Change(new LinearAddress(BareMachine.Data), 1, PagingEntry.Global, 0);
        ulong entry = machine.Tables.EntryAddress(new LinearAddress(BareMachine.Data), 1).Value;
        machine.Tables.Map(new LinearAddress(Window), new GuestPhysicalAddress(entry), PageSize.Size4K, PagingEntry.Present | PagingEntry.Writable);
        return entry;
    }

    private static BareMachine Machine() => new(new BareMachineOptions { Cpuid = new FullCpuid { AddressEbx = 1u << 3 } });
}
