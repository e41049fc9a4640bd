using Iced.Intel;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>INVLPG, INVPCID and CLFLUSH.</summary>
public sealed class TranslationInvalidationTests
{
    [Theory]
    [InlineData(false, "halt")]
    [InlineData(true, "#PF 0x0")]
    [Rule("T06")]
    [Rule("T19")]
    [Rule("T15")]
    public void PageTakenAway_IsSeenOnlyAfterInvlpg(bool invalidates, string outcome)
    {
        using var machine = new BareMachine();
        ulong entry = machine.Tables.EntryAddress(new LinearAddress(BareMachine.Data), 1).Value;
        machine.Tables.Map(new LinearAddress(0x5000_0000), new GuestPhysicalAddress(entry), PageSize.Size4K, PagingEntry.Present | PagingEntry.Writable);
        machine.Assemble(c =>
        {
            c.mov(rcx, BareMachine.Data);
            c.mov(rax, __qword_ptr[rcx]);
            c.mov(rdi, 0x5000_0000 | (entry & 0xFFF));
            c.and(__byte_ptr[rdi], 0xFE);
            if (invalidates)
                c.invlpg(__[rcx + 0x123]);
            c.mov(rax, __qword_ptr[rcx]);
            c.hlt();
        });

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    [Fact]
    [Rule("T06")]
    public void Invlpg_OfNonCanonicalAddress_DoesNothing()
    {
        using var machine = new BareMachine();
        machine.Registers.Rsi = 0x8000_0000_0000_0000;
        machine.Assemble(c =>
        {
            c.invlpg(__[rsi]);
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));
    }

    [Theory]
    [InlineData(0, 0x0UL, 0x1000UL, false, "halt")]
    [InlineData(0, 0x1UL, 0x1000UL, false, "#GP 0x0")]
    [InlineData(0, 0xFFFUL, 0x1000UL, true, "halt")]
    [InlineData(0, 0x1000UL, 0x1000UL, true, "#GP 0x0")]
    [InlineData(0, 0x1UL, 0x8000_0000_0000UL, true, "#GP 0x0")]
    [InlineData(1, 0x1UL, 0x8000_0000_0000UL, true, "halt")]
    [InlineData(1, 0x1UL, 0UL, false, "#GP 0x0")]
    [InlineData(2, 0x1UL, 0UL, false, "halt")]
    [InlineData(2, 0x1000UL, 0UL, true, "#GP 0x0")]
    [InlineData(3, 0x1UL, 0x8000_0000_0000UL, false, "halt")]
    [InlineData(4, 0x0UL, 0UL, true, "#GP 0x0")]
    [Rule("T07")]
    public void Invpcid_OfDescriptor_IsAllowedOrRefused(ulong type, ulong pcid, ulong address, bool hasPcids, string outcome)
    {
        using var machine = new BareMachine();
        if (hasPcids)
        {
            machine.System.Cr4 |= Cr4.PcidEnable;
            machine.Vcpu.ContextChanged();
        }

        machine.Write(BareMachine.Data, pcid);
        machine.Write(BareMachine.Data + 8, address);
        machine.Registers.Rax = type;
        machine.Registers.Rsi = BareMachine.Data;
        machine.Assemble(c =>
        {
            c.invpcid(rax, __[rsi]);
            c.hlt();
        });

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    [Fact]
    public void Invpcid_WithoutTheFeature_IsUndefined()
    {
        using var machine = new BareMachine(new BareMachineOptions { Cpuid = new FullCpuid { StructuredEbxWithout = 1u << 10 } });
        machine.Registers.Rsi = BareMachine.Data;
        machine.Assemble(c => c.invpcid(rax, __[rsi]));

        Assert.Equal("#UD", MachineOutcome.Run(machine));
    }

    [Fact]
    public void Clflush_OfAbsentPage_FaultsAsARead()
    {
        using var machine = new BareMachine();
        machine.Unmap(BareMachine.Data);
        machine.Registers.Rsi = BareMachine.Data;
        machine.Assemble(c => c.clflush(__[rsi]));

        Assert.Equal("#PF 0x0", MachineOutcome.Run(machine));
    }

    [Fact]
    public void Clflush_OfPresentPage_LooksItUpAndLoadsNothing()
    {
        using var machine = new BareMachine();
        machine.Registers.Rsi = BareMachine.Data;
        machine.Assemble(c =>
        {
            c.clflush(__[rsi]);
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal((0UL, 1UL), (machine.Vcpu.Counters.Loads, machine.Vcpu.Counters.DataLookups));
    }
}
