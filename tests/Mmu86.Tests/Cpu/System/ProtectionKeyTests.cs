using Iced.Intel;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>RDPKRU, WRPKRU and IA32_PKRS, and that the next access obeys them.</summary>
public sealed class ProtectionKeyTests
{
    private const int Key = 5;
    private const uint AccessDisable = 1u << (2 * Key);
    private const uint WriteDisable = 2u << (2 * Key);
    private const int SupervisorKeysNumber = 0x6E1;

    [Fact]
    public void Wrpkru_Value_IsWhatRdpkruReads()
    {
        using BareMachine machine = WithKeys(Cr4.ProtectionKeyEnable);
        machine.Registers.Rdx = 0xFFFF_FFFF_0000_0000;
        machine.Registers.Rax = 0xFFFF_FFFF_1234_5678;
        machine.Assemble(c =>
        {
            c.wrpkru();
            c.mov(rax, -1L);
            c.mov(rdx, -1L);
            c.rdpkru();
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal((0x1234_5678UL, 0UL), (machine.Registers.Rax, machine.Registers.Rdx));
    }

    // SDM 2, "RDPKRU" and "WRPKRU": #UD while CR4.PKE=0, #GP(0) where ECX or (WRPKRU) EDX is not 0; any privilege level.
    [Theory]
    [InlineData(false, false, 0UL, 0UL, "#UD")]
    [InlineData(false, true, 0UL, 0UL, "#UD")]
    [InlineData(true, false, 1UL, 0UL, "#GP 0x0")]
    [InlineData(true, true, 1UL, 0UL, "#GP 0x0")]
    [InlineData(true, true, 0UL, 1UL, "#GP 0x0")]
    [InlineData(true, false, 0UL, 1UL, "#UD, at the end")]
    [InlineData(true, true, 0UL, 0UL, "#UD, at the end")]
    public void Instruction_InRing3_IsAllowedOrRefused(bool isEnabled, bool isWrite, ulong ecx, ulong edx, string outcome)
    {
        using BareMachine machine = WithKeys(isEnabled ? Cr4.ProtectionKeyEnable : 0);
        machine.EnterUserMode();
        machine.Registers.Rcx = ecx;
        machine.Registers.Rdx = edx;
        machine.Assemble(c =>
        {
            if (isWrite)
                c.wrpkru();
            else
                c.rdpkru();
            c.mov(ebx, 0x77);
            c.ud2();
        });

        string got = MachineOutcome.Run(machine);

        Assert.Equal(outcome, machine.Registers.Rbx == 0x77 ? got + ", at the end" : got);
    }

    /// <summary>The filter and the TLB hold the page; the key denies it at once, and gives it back at once, with no invalidation.</summary>
    [Theory]
    [InlineData(AccessDisable, false, "#PF 0x25")]
    [InlineData(AccessDisable, true, "#PF 0x27")]
    [InlineData(WriteDisable, false, "#UD")]
    [InlineData(WriteDisable, true, "#PF 0x27")]
    [InlineData(~(AccessDisable | WriteDisable), true, "#UD")]
    [Rule("R07")]
    [Rule("T20")]
    [Rule("F03")]
    public void Wrpkru_BetweenTwoAccessesOfAUser_ActsOnTheSecond(uint rights, bool isWrite, string outcome)
    {
        using BareMachine machine = WithKeys(Cr4.ProtectionKeyEnable);
        machine.Tables.Change(new LinearAddress(BareMachine.UserData), 1, (ulong)Key << 59, 0);
        machine.EnterUserMode();
        machine.Registers.Rsi = BareMachine.UserData;
        machine.Assemble(c =>
        {
            for (int i = 0; i < 3; i++)
                c.add(__qword_ptr[rsi], 1);
            c.xor(ecx, ecx);
            c.xor(edx, edx);
            c.mov(eax, unchecked((int)~rights));
            c.wrpkru();
            c.xor(eax, eax);
            c.wrpkru();
            c.add(__qword_ptr[rsi], 1);
            c.mov(eax, unchecked((int)rights));
            c.wrpkru();
            if (isWrite)
                c.mov(__qword_ptr[rsi], rax);
            else
                c.mov(rax, __qword_ptr[rsi]);
            c.ud2();
        });

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    [Theory]
    [InlineData(AccessDisable, false, "#PF 0x21")]
    [InlineData(WriteDisable, false, "halt")]
    [InlineData(WriteDisable, true, "#PF 0x23")]
    [Rule("R08")]
    [Rule("T20")]
    public void Wrmsr_OfPkrsBetweenTwoAccesses_ActsOnTheSecond(uint rights, bool isWrite, string outcome)
    {
        using BareMachine machine = WithKeys(Cr4.ProtectionKeySupervisor);
        machine.Tables.Change(new LinearAddress(BareMachine.Data), 1, (ulong)Key << 59, 0);
        machine.Registers.Rsi = BareMachine.Data;
        machine.Assemble(c =>
        {
            for (int i = 0; i < 3; i++)
                c.add(__qword_ptr[rsi], 1);
            c.mov(ecx, SupervisorKeysNumber);
            c.xor(edx, edx);
            c.mov(eax, unchecked((int)rights));
            c.wrmsr();
            if (isWrite)
                c.mov(__qword_ptr[rsi], rax);
            else
                c.mov(rax, __qword_ptr[rsi]);
            c.hlt();
        });

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    [Theory]
    [InlineData(0UL, "halt")]
    [InlineData(1UL, "#GP 0x0")]
    public void Wrmsr_OfPkrsUpperHalf_IsReserved(ulong edx, string outcome)
    {
        using BareMachine machine = WithKeys(0);
        machine.Registers.Rcx = SupervisorKeysNumber;
        machine.Registers.Rdx = edx;
        machine.Assemble(c =>
        {
            c.wrmsr();
            c.hlt();
        });

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    [Fact]
    public void Rdmsr_OfPkrsWithoutTheFeature_IsRefused()
    {
        using var machine = new BareMachine(new BareMachineOptions { Cpuid = new FullCpuid { StructuredEcxWithout = FullCpuid.LinearAddress57 | (1u << 31) } });
        machine.Registers.Rcx = SupervisorKeysNumber;
        machine.Assemble(c => c.rdmsr());

        Assert.Equal("#GP 0x0", MachineOutcome.Run(machine));
    }

    [Theory]
    [InlineData(Cr4.None, 0UL)]
    [InlineData(Cr4.ProtectionKeyEnable, 1UL)]
    public void Cpuid_OsPke_MirrorsCr4(Cr4 keys, ulong expected)
    {
        using BareMachine machine = WithKeys(keys);
        machine.Registers.Rax = 7;
        machine.Registers.Rcx = 0;
        machine.Assemble(c =>
        {
            c.cpuid();
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(expected, (machine.Registers.Rcx >> 4) & 1);
    }

    private static BareMachine WithKeys(Cr4 keys)
    {
        var machine = new BareMachine();
        machine.System.Cr4 |= keys;
        machine.Vcpu.ContextChanged();
        return machine;
    }
}
