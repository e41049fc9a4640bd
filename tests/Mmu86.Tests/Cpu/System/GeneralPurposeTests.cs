using Iced.Intel;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>General-purpose instructions that have no handler: what the comparison with the host CPU does not reach.</summary>
public sealed class GeneralPurposeTests
{
    [Fact]
    public void Popf_InRing3_ChangesNeitherInterruptFlagNorIoPrivilege()
    {
        using var machine = new BareMachine();
        machine.EnterUserMode();
        machine.Assemble(c =>
        {
            c.push(0x24_3ED7);
            c.popfq();
            c.pushfq();
            c.pop(rbx);
            c.ud2();
        });

        Assert.Equal("#UD", MachineOutcome.Run(machine));

        Assert.Equal(0x24_0CD7UL, machine.Registers.Rbx);
    }

    [Fact]
    public void Popfw_InRing0_LeavesTheUpperHalf()
    {
        using var machine = new BareMachine();
        machine.Registers.Flags = RFlags.Identification;
        machine.Assemble(c =>
        {
            c.push(0x3202);
            c.popf();
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal((RFlags)0x20_3202, machine.Registers.Flags);
        Assert.Equal(BareMachine.KernelStackTop - 6, machine.Registers.Rsp);
    }

    [Fact]
    public void Popf_SettingAc_LetsTheNextLoadThroughSmap()
    {
        using var machine = new BareMachine();
        machine.System.Cr4 |= Cr4.Smap;
        machine.Vcpu.ContextChanged();
        machine.Write(BareMachine.UserData, 0x77);
        machine.Assemble(c =>
        {
            c.mov(rsi, BareMachine.UserData);
            c.push(0x4_0002);
            c.popfq();
            c.mov(rax, __qword_ptr[rsi]);
            c.clac();
            c.mov(rbx, __qword_ptr[rsi]);
        });

        Assert.Equal("#PF 0x1", MachineOutcome.Run(machine));

        Assert.Equal((0x77UL, 0UL), (machine.Registers.Rax, machine.Registers.Rbx));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(31)]
    public void Enter_OfEveryLevel_BuildsTheDisplay(int level)
    {
        const ulong Frame = BareMachine.Data + 0x800;
        using var machine = new BareMachine();
        machine.Registers.Rbp = Frame;
        for (int i = 1; i < level; i++)
            machine.Write(Frame - ((ulong)i * 8), 0x1000 + (ulong)i);
        machine.Assemble(c =>
        {
            c.enter(0x20, (sbyte)level);
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        ulong newFrame = BareMachine.KernelStackTop - 8;
        Assert.Equal(Frame, machine.Read(newFrame));
        Assert.Equal(newFrame, machine.Registers.Rbp);
        for (int i = 1; i < level; i++)
            Assert.Equal(0x1000 + (ulong)i, machine.Read(newFrame - ((ulong)i * 8)));
        if (level > 0)
            Assert.Equal(newFrame, machine.Read(newFrame - ((ulong)level * 8)));
        Assert.Equal(newFrame - ((ulong)level * 8) - 0x20, machine.Registers.Rsp);
    }

    [Fact]
    public void Enter_WhoseFinalStackPointerIsAbsent_FaultsWithRegistersUnchanged()
    {
        using var machine = new BareMachine();
        machine.SetGate(14, BareMachine.DefaultGate(14) with { InterruptStack = 1 });
        machine.Unmap(BareMachine.KernelStackTop - 0x2000);
        machine.Registers.Rbp = 0x1234;
        machine.Assemble(c => c.enter(0x1000, 0));

        Assert.Equal("#PF 0x2", MachineOutcome.Run(machine));

        Assert.Equal(BareMachine.KernelStackTop - 0x1008, machine.System.Cr2);
        Assert.Equal(BareMachine.KernelStackTop, machine.Frame(ExceptionVector.PageFault).Rsp);
        Assert.Equal(0x1234UL, machine.Registers.Rbp);
    }

    [Fact]
    public void PopToMemory_AddressedByRsp_UsesTheIncrementedPointerAndRestoresItOnAFault()
    {
        using var machine = new BareMachine();
        machine.SetGate(14, BareMachine.DefaultGate(14) with { InterruptStack = 1 });
        machine.Write(BareMachine.KernelStackTop - 16, 0xABCD);
        machine.Registers.Rsp = BareMachine.KernelStackTop - 16;
        machine.Assemble(c =>
        {
            c.pop(__qword_ptr[rsp]);
            c.pop(__qword_ptr[0x70_0000]);
        });

        Assert.Equal("#PF 0x2", MachineOutcome.Run(machine));

        Assert.Equal(0xABCDUL, machine.Read(BareMachine.KernelStackTop - 8));
        Assert.Equal(BareMachine.KernelStackTop - 8, machine.Frame(ExceptionVector.PageFault).Rsp);
    }

    [Fact]
    public void Bts_WithNegativeIndex_ReachesBelowTheOperand()
    {
        using var machine = new BareMachine();
        machine.Assemble(c =>
        {
            c.mov(rsi, BareMachine.Data + 0x100);
            c.mov(eax, -1);
            c.@lock.bts(__dword_ptr[rsi], eax);
            c.setc(bl);
            c.bt(__dword_ptr[rsi], eax);
            c.setc(bh);
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(0x8000_0000_0000_0000UL, machine.Read(BareMachine.Data + 0xF8));
        Assert.Equal(0x100UL, machine.Registers.Rbx);
        Assert.Equal((2UL, 1UL), (machine.Vcpu.Counters.Loads, machine.Vcpu.Counters.Stores));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Cmpxchg16b_EqualOrNot_IsAReadModifyWrite(bool isEqual)
    {
        using var machine = new BareMachine();
        machine.Write(BareMachine.Data, 0x11);
        machine.Write(BareMachine.Data + 8, 0x22);
        machine.Registers.Rax = isEqual ? 0x11UL : 0x99;
        machine.Registers.Rdx = 0x22;
        machine.Registers.Rbx = 0x33;
        machine.Registers.Rcx = 0x44;
        machine.Assemble(c =>
        {
            c.mov(rsi, BareMachine.Data);
            c.@lock.cmpxchg16b(__[rsi]);
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(isEqual, (machine.Registers.Flags & RFlags.Zero) != 0);
        Assert.Equal(isEqual ? (0x33UL, 0x44UL) : (0x11UL, 0x22UL), (machine.Read(BareMachine.Data), machine.Read(BareMachine.Data + 8)));
        Assert.Equal((0x11UL, 0x22UL), (machine.Registers.Rax, machine.Registers.Rdx));
        Assert.Equal((1UL, 1UL), (machine.Vcpu.Counters.Loads, machine.Vcpu.Counters.Stores));
        Assert.NotEqual(0UL, machine.Tables.Read(new LinearAddress(BareMachine.Data), 1) & PagingEntry.Dirty);
    }

    [Fact]
    public void Cmpxchg16b_OfUnalignedOperand_IsRefused()
    {
        using var machine = new BareMachine();
        machine.Registers.Rsi = BareMachine.Data + 8;
        machine.Assemble(c => c.cmpxchg16b(__[rsi]));

        Assert.Equal("#GP 0x0", MachineOutcome.Run(machine));
    }

    [Fact]
    [Rule("R11")]
    public void Cmpxchg8b_OfReadOnlyPage_IsAWriteFault()
    {
        using var machine = new BareMachine();
        machine.Tables.Change(new LinearAddress(BareMachine.Data), 1, 0, PagingEntry.Writable);
        machine.Registers.Rax = 1;
        machine.Registers.Rsi = BareMachine.Data;
        machine.Assemble(c => c.cmpxchg8b(__[rsi]));

        Assert.Equal("#PF 0x3", MachineOutcome.Run(machine));
    }

    [Fact]
    public void Xlat_WithAddressSizePrefix_TruncatesTheAddress()
    {
        using var machine = new BareMachine();
        machine.WriteBytes(BareMachine.Data + 0x80, [0x5A]);
        machine.Registers.Rbx = BareMachine.Data | 0xFFFF_0000_0000_0000;
        machine.Registers.Rax = 0x1180;
        machine.Assemble(c =>
        {
            c.db(0x67, 0xD7);
            c.hlt();
        });

        Assert.Equal("halt", MachineOutcome.Run(machine));

        Assert.Equal(0x115AUL, machine.Registers.Rax);
    }

    [Fact]
    public void Lock_OnInstructionThatDoesNotAllowIt_IsUndefined()
    {
        using var machine = new BareMachine();
        machine.Registers.Rsi = BareMachine.Data;
        machine.Assemble(c => c.db(0xF0, 0x48, 0x8B, 0x06)); // lock mov rax, [rsi]

        Assert.Equal("#UD", MachineOutcome.Run(machine));
    }

    [Theory]
    [InlineData("addps", "unsupported")]
    [InlineData("addps without OSFXSR", "#UD")]
    [InlineData("fld1", "unsupported")]
    [InlineData("fxsave", "unsupported")]
    [InlineData("vaddps", "#UD")]
    [InlineData("crc32", "#UD")]
    [InlineData("rdrand", "#UD")]
    [InlineData("vmcall", "#UD")]
    [InlineData("xgetbv", "#UD")]
    [InlineData("into", "#UD")]
    [InlineData("rdsspq", "halt")]
    [InlineData("fwait", "halt")]
    public void Instruction_ThatIsAbsent_IsRefusedByNameOrUndefined(string name, string outcome)
    {
        using var machine = new BareMachine();
        machine.Registers.Rsi = BareMachine.Data;
        if (name == "addps")
            machine.System.Cr4 |= Cr4.OsFxsr;
        machine.Assemble(c =>
        {
            switch (name)
            {
                case "addps" or "addps without OSFXSR": c.addps(xmm0, xmm1); break;
                case "fld1": c.fld1(); break;
                case "fxsave": c.fxsave(__[rsi]); break;
                case "vaddps": c.vaddps(xmm0, xmm1, xmm2); break;
                case "crc32": c.crc32(eax, ebx); break;
                case "rdrand": c.rdrand(rax); break;
                case "vmcall": c.vmcall(); break;
                case "xgetbv": c.xgetbv(); break;
                case "into": c.db(0xCE); break;
                case "rdsspq": c.rdsspq(rax); break;
                default: c.wait(); break;
            }

            c.hlt();
        });

        Assert.Equal(outcome, MachineOutcome.Run(machine));
    }

    // SDM 2: with CR4.CET=0 those that touch shadow stacks are #UD; ENDBR64 and RDSSPQ are NOPs.
    [Theory]
    [Rule("R09")]
    [InlineData("setssbsy", new byte[] { 0xF3, 0x0F, 0x01, 0xE8 }, "#UD")]
    [InlineData("saveprevssp", new byte[] { 0xF3, 0x0F, 0x01, 0xEA }, "#UD")]
    [InlineData("rstorssp [rsi]", new byte[] { 0xF3, 0x0F, 0x01, 0x2E }, "#UD")]
    [InlineData("clrssbsy [rsi]", new byte[] { 0xF3, 0x0F, 0xAE, 0x36 }, "#UD")]
    [InlineData("incsspd eax", new byte[] { 0xF3, 0x0F, 0xAE, 0xE8 }, "#UD")]
    [InlineData("incsspq rax", new byte[] { 0xF3, 0x48, 0x0F, 0xAE, 0xE8 }, "#UD")]
    [InlineData("wrssd [rsi], eax", new byte[] { 0x0F, 0x38, 0xF6, 0x06 }, "#UD")]
    [InlineData("wrssq [rsi], rax", new byte[] { 0x48, 0x0F, 0x38, 0xF6, 0x06 }, "#UD")]
    [InlineData("wrussd [rsi], eax", new byte[] { 0x66, 0x0F, 0x38, 0xF5, 0x06 }, "#UD")]
    [InlineData("wrussq [rsi], rax", new byte[] { 0x66, 0x48, 0x0F, 0x38, 0xF5, 0x06 }, "#UD")]
    [InlineData("endbr64", new byte[] { 0xF3, 0x0F, 0x1E, 0xFA }, "halt")]
    [InlineData("rdsspq rax", new byte[] { 0xF3, 0x48, 0x0F, 0x1E, 0xC8 }, "halt")]
    public void ShadowStackInstruction_WithoutCet_IsUndefinedOrNothing(string name, byte[] code, string outcome)
    {
        using var machine = new BareMachine();
        machine.Registers.Rsi = BareMachine.Data;
        machine.Registers.Rax = 0x1234;
        machine.Assemble(c =>
        {
            c.db(code);
            c.hlt();
        });

        Assert.True(outcome == MachineOutcome.Run(machine), name);

        Assert.Equal((0x1234UL, 0UL), (machine.Registers.Rax, machine.Read(BareMachine.Data)));
    }

    [Fact]
    public void NotSupported_Instruction_IsNamedWithItsAddress()
    {
        using var machine = new BareMachine();
        machine.System.Cr4 |= Cr4.OsFxsr;
        machine.Assemble(c =>
        {
            c.nop();
            c.addps(xmm0, xmm1);
        });

        Assert.Equal("instruction 'addps xmm0,xmm1' at 0x10001", machine.Run().Detail);
        Assert.Equal(BareMachine.Code + 1, machine.Registers.Rip);
        Assert.Equal(1UL, machine.Vcpu.Counters.Instructions);
    }
}
