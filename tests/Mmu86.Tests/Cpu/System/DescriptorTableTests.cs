using Iced.Intel;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>LGDT to STR, and LAR to VERW.</summary>
public sealed class DescriptorTableTests
{
    private const ulong AvailableTss = 0x0000_8900_0000_0067;
    private const ulong LocalTable = 0x0000_8200_0000_00FF;

    [Fact]
    public void LgdtAndSgdt_OfTenBytes_AreTheSame()
    {
        using var machine = new BareMachine();
        machine.WriteBytes(BareMachine.Data, [0xFF, 0x0F, 0x00, 0x10, 0, 0, 0, 0x80, 0xFF, 0xFF]);
        machine.Registers.Rsi = BareMachine.Data;
        machine.Assemble(c =>
        {
            c.lgdt(__[rsi]);
            c.sgdt(__[rsi + 0x20]);
            c.lidt(__[rsi]);
            c.sidt(__[rsi + 0x30]);
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal((0xFFFF_8000_0000_1000UL, 0xFFF), (machine.System.Gdtr.Base, machine.System.Gdtr.Limit));
        Assert.Equal(machine.ReadBytes(BareMachine.Data, 10), machine.ReadBytes(BareMachine.Data + 0x20, 10));
        Assert.Equal(machine.ReadBytes(BareMachine.Data, 10), machine.ReadBytes(BareMachine.Data + 0x30, 10));
        Assert.Equal((2UL, 2UL), (machine.Vcpu.Counters.Loads, machine.Vcpu.Counters.Stores));
    }

    [Fact]
    [Rule("P14")]
    public void Lidt_OfNonCanonicalBase_IsRefusedAndChangesNothing()
    {
        using var machine = new BareMachine();
        machine.WriteBytes(BareMachine.Data, [0xFF, 0x0F, 0, 0, 0, 0, 0, 0x80, 0, 0]);
        machine.Registers.Rsi = BareMachine.Data;
        machine.Assemble(c => c.lidt(__[rsi]));

        Assert.Equal("#GP 0x0", MachineOutcome.Run(machine));

        Assert.Equal(BareMachine.Idt, machine.System.Idtr.Base);
    }

    [Theory]
    [InlineData(BareSelectors.Free, AvailableTss, 0UL, "halt")]
    [InlineData(BareSelectors.Free, AvailableTss, 0xFFFF_8000UL, "halt")]
    [InlineData(BareSelectors.Free, AvailableTss, 0x8000UL, "#GP 0x40")]
    [InlineData(BareSelectors.Free, AvailableTss, 0x0000_0100_0000_0000UL, "#GP 0x40")]
    [InlineData(BareSelectors.Free, AvailableTss & ~BareSelectors.Present, 0UL, "#NP 0x40")]
    [InlineData(BareSelectors.Free, AvailableTss | (2UL << 40), 0UL, "#GP 0x40")]
    [InlineData(BareSelectors.Free, LocalTable, 0UL, "#GP 0x40")]
    [InlineData(0, 0UL, 0UL, "#GP 0x0")]
    [InlineData(BareSelectors.Free | 4, AvailableTss, 0UL, "#GP 0x44")]
    [InlineData(0xFF8, AvailableTss, 0UL, "#GP 0xff8")]
    public void Ltr_OfDescriptor_LoadsOrFaults(ushort selector, ulong low, ulong high, string outcome)
    {
        using var machine = new BareMachine();
        if (selector != 0)
            machine.SetDescriptor((ushort)(selector & ~4), low);
        if (selector is not (0 or 0xFF8))
            machine.SetDescriptor((ushort)((selector & ~4) + 8), high);
        machine.Assemble(c =>
        {
            c.mov(eax, selector);
            c.ltr(ax);
            c.str(rbx);
            c.hlt();
        });

        Assert.Equal(outcome, MachineOutcome.Run(machine));

        bool isLoaded = outcome == "halt";
        Assert.Equal(isLoaded ? selector : 0UL, machine.Registers.Rbx);
        Assert.Equal(isLoaded ? high << 32 : BareMachine.Tss, machine.System.Tr.Base);
        if (isLoaded)
            Assert.Equal(low | (2UL << 40), machine.Read(BareMachine.Gdt + selector));
    }

    [Fact]
    public void Lldt_OfTable_MakesItsSelectorsLoadable()
    {
        using var machine = new BareMachine();
        machine.SetDescriptor(BareSelectors.Free, LocalTable | (BareMachine.Data << 16));
        machine.SetDescriptor(BareSelectors.Free + 8, 0);
        machine.Write(BareMachine.Data + 8, BareSelectors.FlatData);
        machine.Assemble(c =>
        {
            c.mov(eax, BareSelectors.Free);
            c.lldt(ax);
            c.sldt(ebx);
            c.mov(ecx, 0xC);
            c.mov(ds, ecx);
            c.xor(eax, eax);
            c.lldt(ax);
            c.mov(es, ecx);
        });

        Assert.Equal("#GP 0xc", MachineOutcome.Run(machine));

        Assert.Equal(BareSelectors.Free, machine.Registers.Rbx);
        Assert.Equal(0xC, machine.System.Ds.Selector);
    }

    [Theory]
    [InlineData("lgdt")]
    [InlineData("lidt")]
    [InlineData("lldt")]
    [InlineData("ltr")]
    [InlineData("invlpg")]
    [InlineData("wbinvd")]
    [InlineData("hlt")]
    [InlineData("cli")]
    public void Instruction_InRing3_IsRefused(string name)
    {
        using var machine = new BareMachine();
        machine.EnterUserMode();
        machine.Registers.Rsi = BareMachine.UserData;
        machine.Assemble(c =>
        {
            switch (name)
            {
                case "lgdt": c.lgdt(__[rsi]); break;
                case "lidt": c.lidt(__[rsi]); break;
                case "lldt": c.lldt(ax); break;
                case "ltr": c.ltr(ax); break;
                case "invlpg": c.invlpg(__[rsi]); break;
                case "wbinvd": c.wbinvd(); break;
                case "hlt": c.hlt(); break;
                default: c.cli(); break;
            }
        });

        Assert.Equal("#GP 0x0", MachineOutcome.Run(machine));
    }

    [Theory]
    [InlineData(false, "#UD")]
    [InlineData(true, "#GP 0x0")]
    public void Sgdt_InRing3_IsUpToUmip(bool isPrevented, string outcome)
    {
        using var machine = new BareMachine();
        if (isPrevented)
        {
            machine.System.Cr4 |= Cr4.UserModeInstructionPrevention;
            machine.Vcpu.ContextChanged();
        }

        machine.EnterUserMode();
        machine.Registers.Rsi = BareMachine.UserData;
        machine.Assemble(c =>
        {
            c.sgdt(__[rsi]);
            c.ud2();
        });

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    [Theory]
    [InlineData(0x08, 0, 0x00A0_9B00UL, 0xFFFF_FFFFUL, true, false)]
    [InlineData(0x10, 0, 0x00C0_9300UL, 0xFFFF_FFFFUL, true, true)]
    [InlineData(0x23, 3, 0x00C0_F300UL, 0xFFFF_FFFFUL, true, true)]
    [InlineData(0x10, 3, null, null, false, false)]
    [InlineData(0x13, 0, null, null, false, false)]
    [InlineData(0x00, 0, null, null, false, false)]
    [InlineData(0x30, 0, 0x0000_8B00UL, 0x2068UL, false, false)]
    [InlineData(0x1000, 0, null, null, false, false)]
    [InlineData(0x40, 0, 0x0000_8C00UL, null, false, false)]
    [InlineData(0x50, 0, null, null, false, false)]
    public void Checks_OfSelector_SayWhatIsAllowed(ushort selector, int cpl, ulong? rights, ulong? limit, bool isReadable, bool isWritable)
    {
        using var machine = new BareMachine();
        machine.SetDescriptor(BareSelectors.Free, 0x0000_8C00_0008_0000);
        machine.SetDescriptor(0x50, 0x0000_8E00_0008_0000);
        if (cpl == 3)
            machine.EnterUserMode();
        machine.Assemble(c =>
        {
            c.mov(r8d, selector);
            c.mov(rax, 0x55);
            c.lar(eax, r8d);
            c.setz(cl);
            c.mov(rbx, 0x55);
            c.lsl(ebx, r8d);
            c.setz(ch);
            c.verr(r8w);
            c.setz(dl);
            c.verw(r8w);
            c.setz(dh);
            c.ud2();
        });

        Assert.Equal("#UD", MachineOutcome.Run(machine));

        Assert.Equal((rights ?? 0x55, limit ?? 0x55), (machine.Registers.Rax, machine.Registers.Rbx));
        ulong expected = (rights is null ? 0UL : 1) | (limit is null ? 0UL : 0x100);
        Assert.Equal(expected, machine.Registers.Rcx & 0x101);
        Assert.Equal((isReadable ? 1UL : 0) | (isWritable ? 0x100UL : 0), machine.Registers.Rdx & 0x101);
    }
}
