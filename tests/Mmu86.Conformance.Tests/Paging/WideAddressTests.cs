using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Addresses of 57 bits on a processor with 5-level paging, and on one without.</summary>
/// <remarks>5-Level Paging and 5-Level EPT, "Canonicality Checking": registers that outlive CR4.LA57 are checked by what the processor supports.</remarks>
public sealed class WideAddressTests
{
    private const ulong Wide = 1UL << 50;
    private const int Lstar = unchecked((int)0xC000_0082);
    private const int KernelGsBase = unchecked((int)0xC000_0102);

    /// <summary>CR4.LA57 is 0 throughout.</summary>
    [Theory]
    [InlineData("lgdt")]
    [InlineData("lidt")]
    [InlineData("ltr")]
    [InlineData("lldt")]
    [InlineData("wrmsr lstar")]
    [InlineData("wrmsr kernel gs base")]
    [InlineData("wrfsbase")]
    [InlineData("invpcid")]
    [Rule("P14")]
    public void Base_Of51Bits_IsTakenWhereTheProcessorHas57(string name)
    {
        Assert.Equal((VmExitReason.Exception, ExceptionVector.GeneralProtection), Run(name, FullCpuid.LinearAddress57));
        Assert.Equal((VmExitReason.Halt, default), Run(name, without: 0));
    }

    /// <summary>An access is another matter: with 4-level paging it has 48 bits on both.</summary>
    [Theory]
    [InlineData(0u)]
    [InlineData(FullCpuid.LinearAddress57)]
    [Rule("P14")]
    [Rule("P03")]
    public void Load_Of51BitsIn4LevelPaging_IsNotCanonical(uint without)
    {
        Assert.Equal((VmExitReason.Exception, ExceptionVector.GeneralProtection), Run("load", without));
    }

    /// <summary>PML5 entry 1 leads to the same tables as entry 0, so bit 48 chooses nothing but the entry.</summary>
    [Fact]
    [Rule("P14")]
    public void Load_Of49BitsIn5LevelPaging_IsTranslated()
    {
        const ulong Top = 0xE0_0000;
        using BareMachine machine = Machine(without: 0);
        machine.Write(Top, machine.Tables.Root.Value | PagingEntry.Present | PagingEntry.Writable);
        machine.Write(Top + 8, machine.Tables.Root.Value | PagingEntry.Present | PagingEntry.Writable);
        machine.System.Cr4 |= Cr4.LinearAddress57;
        machine.System.Cr3 = Top;
        machine.Vcpu.ContextChanged();
        machine.Write(BareMachine.Data, 0x1234_5678);
        machine.Registers.Rsi = BareMachine.Data | (1UL << 48);
        machine.Assemble(c =>
        {
            c.mov(rax, __qword_ptr[rsi]);
            c.hlt();
        });

        Assert.Equal(VmExitReason.Halt, machine.Run().Reason);

        Assert.Equal(0x1234_5678UL, machine.Registers.Rax);
        Assert.Equal(PagingEntry.Accessed, machine.Read(Top + 8) & PagingEntry.Accessed);
    }

    private static (VmExitReason Reason, ExceptionVector Vector) Run(string name, uint without)
    {
        using BareMachine machine = Machine(without);
        machine.System.Cr4 |= Cr4.FsGsBase;
        machine.Vcpu.ContextChanged();
        machine.Registers.Rsi = BareMachine.Data;
        machine.Registers.Rdi = Wide;
        machine.Write(BareMachine.Data, 0);
        machine.Write(BareMachine.Data + 8, Wide);
        machine.WriteBytes(BareMachine.Data + 0x10, [0xFF, 0x0F, 0, 0, 0, 0, 0, 0, 4, 0]);
        machine.SetDescriptor(BareSelectors.Free, name == "ltr" ? 0x0000_8900_0000_0067UL : 0x0000_8200_0000_0FFFUL);
        machine.SetDescriptor(BareSelectors.Free + 8, Wide >> 32);
        machine.Assemble(c =>
        {
            switch (name)
            {
                case "lgdt": c.lgdt(__[rsi + 0x10]); break;
                case "lidt": c.lidt(__[rsi + 0x10]); break;
                case "ltr": c.mov(eax, BareSelectors.Free); c.ltr(ax); break;
                case "lldt": c.mov(eax, BareSelectors.Free); c.lldt(ax); break;
                case "wrmsr lstar": WriteMsr(c, Lstar); break;
                case "wrmsr kernel gs base": WriteMsr(c, KernelGsBase); break;
                case "wrfsbase": c.wrfsbase(rdi); break;
                case "invpcid": c.xor(eax, eax); c.invpcid(rax, __[rsi]); break;
                default: c.mov(rax, __qword_ptr[rdi]); break;
            }

            c.hlt();
        });

        VmExit exit = machine.Run();
        return (exit.Reason, exit.Vector);
    }

    private static void WriteMsr(Assembler c, int number)
    {
        c.mov(ecx, number);
        c.mov(rdx, rdi);
        c.shr(rdx, 32);
        c.xor(eax, eax);
        c.wrmsr();
    }

    private static BareMachine Machine(uint without) =>
        new(new BareMachineOptions { InterceptExceptions = true, Cpuid = new FullCpuid { StructuredEcxWithout = without } });
}
