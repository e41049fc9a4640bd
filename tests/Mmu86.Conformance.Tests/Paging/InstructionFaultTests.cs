using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>What instructions whose accesses fault report, and what they leave behind.</summary>
public sealed class InstructionFaultTests
{
    private const ulong First = BareMachine.Data;
    private const ulong Second = BareMachine.Data + 0x1000;
    private const ulong Flags = PagingEntry.Accessed | PagingEntry.Dirty;

    /// <summary>Absent and read-only pages: the error code says write, though the instruction would have read first.</summary>
    [Theory]
    [InlineData("add", PagingEntry.Present, 2u)]
    [InlineData("add", PagingEntry.Writable, 3u)]
    [InlineData("lock xadd", PagingEntry.Present, 2u)]
    [InlineData("lock xadd", PagingEntry.Writable, 3u)]
    [InlineData("cmpxchg", PagingEntry.Present, 2u)]
    [InlineData("cmpxchg", PagingEntry.Writable, 3u)]
    [InlineData("bts", PagingEntry.Present, 2u)]
    [InlineData("bts", PagingEntry.Writable, 3u)]
    [Rule("R11")]
    public void ReadModifyWrite_OfAPageThatLacksARight_FaultsAsAWrite(string name, ulong lacks, uint errorCode)
    {
        using BareMachine machine = Machine();
        machine.Tables.Change(new LinearAddress(First), 1, 0, lacks);
        AssembleReadModifyWrite(machine, name);

        VmExit exit = machine.Run();

        Assert.Equal((ExceptionVector.PageFault, errorCode, First), (exit.Vector, exit.ErrorCode, exit.Linear.Value));
    }

    /// <summary>CMPXCHG compares RAX = 0 with what is not 0: it stores the old value again, and that is a write.</summary>
    [Theory]
    [InlineData("add")]
    [InlineData("lock xadd")]
    [InlineData("cmpxchg")]
    [InlineData("bts")]
    [Rule("R11")]
    public void ReadModifyWrite_OfAnyOutcome_SetsDirty(string name)
    {
        using BareMachine machine = Machine();
        machine.Write(First, 0x80);
        AssembleReadModifyWrite(machine, name);

        Assert.Equal(ExceptionVector.InvalidOpcode, machine.Run().Vector);

        Assert.Equal(Flags, EntryFlags(machine, First));
    }

    /// <summary>SDM 3, "Exception and Interrupt Handling": a fault leaves the program as it was before the instruction.</summary>
    [Theory]
    [InlineData("push")]
    [InlineData("push memory")]
    [InlineData("pushf")]
    [InlineData("call")]
    [InlineData("call register")]
    [InlineData("enter")]
    [InlineData("far call")]
    [InlineData("pop")]
    [InlineData("ret")]
    [InlineData("leave")]
    [Rule("R13")]
    public void StackInstruction_WhoseStackIsAbsent_ChangesNeitherStackPointerNorRip(string name)
    {
        const ulong Stack = Second + 0x1000;
        using BareMachine machine = Machine();
        machine.Unmap(Second);
        machine.Unmap(Stack);
        machine.Registers.Rsp = Stack;
        machine.Registers.Rbp = Stack + 0x100;
        machine.Registers.Rsi = First;
        machine.Write(First, BareMachine.Code | ((ulong)BareSelectors.KernelCode << 32));
        machine.Assemble(c =>
        {
            switch (name)
            {
                case "push": c.push(rax); break;
                case "push memory": c.push(__qword_ptr[rsi]); break;
                case "pushf": c.pushfq(); break;
                case "call": c.call(BareMachine.Code + 0x100); break;
                case "call register": c.call(rsi); break;
                case "enter": c.enter(0x20, 0); break;
                case "far call": c.call(__fword_ptr[rsi]); break;
                case "pop": c.pop(rax); break;
                case "ret": c.ret(); break;
                default: c.leave(); break;
            }
        });

        VmExit exit = machine.Run();

        Assert.Equal(ExceptionVector.PageFault, exit.Vector);
        Assert.Equal((Stack, Stack + 0x100, BareMachine.Code, BareSelectors.KernelCode),
            (machine.Registers.Rsp, machine.Registers.Rbp, machine.Registers.Rip, machine.System.Cs.Selector));
    }

    /// <summary>From level 3 into tables on a page that is absent, or that users may use while SMAP=1: bit 2 of the error code is clear.</summary>
    [Theory]
    [InlineData(BareMachine.Gdt, "mov fs", false, 0u)]
    [InlineData(BareMachine.Gdt, "mov fs", true, 1u)]
    [InlineData(BareMachine.Tss, "in", false, 0u)]
    [InlineData(BareMachine.Tss, "in", true, 1u)]
    [Rule("R05")]
    [Rule("R04")]
    public void ImplicitAccess_FromLevel3_IsASupervisorsWithoutExcuse(ulong table, string name, bool isSmap, uint errorCode)
    {
        using BareMachine machine = Machine();
        if (isSmap)
        {
            for (int level = 1; level <= 4; level++)
                machine.Tables.Change(new LinearAddress(table), level, PagingEntry.User, 0);
            machine.System.Cr4 |= Cr4.Smap;
        }
        else
        {
            machine.Unmap(table);
        }

        machine.Vcpu.ContextChanged();
        machine.EnterUserMode();
        machine.Registers.Flags |= RFlags.AlignmentCheck;
        machine.Assemble(c =>
        {
            if (name == "in")
            {
                c.@in(al, 0x80);
                return;
            }

            c.mov(eax, BareSelectors.UserData);
            c.mov(fs, ax);
        });

        VmExit exit = machine.Run();

        Assert.Equal((ExceptionVector.PageFault, errorCode), (exit.Vector, exit.ErrorCode));
        Assert.Equal(table, exit.Linear.Value & ~0xFFFUL);
    }

    /// <summary>SDM 3, "Linear-Address Masking": CR2 has the address that paging translated.</summary>
    [Fact]
    [Rule("F04")]
    [Rule("P15")]
    public void Load_OfATaggedAbsentAddress_ReportsItWithoutMetadata()
    {
        using BareMachine machine = Machine();
        machine.System.Cr3 |= 1UL << 61;
        machine.Vcpu.ContextChanged();
        machine.Unmap(First);
        machine.Registers.Rsi = First | (0x2AUL << 57);
        machine.Assemble(c => c.mov(rax, __qword_ptr[rsi]));

        VmExit exit = machine.Run();

        Assert.Equal((ExceptionVector.PageFault, First), (exit.Vector, exit.Linear.Value));
    }

    /// <summary>SDM 3, "Architectural State Before a VM Exit": the address is told by the exit.</summary>
    [Fact]
    [Rule("F10")]
    public void PageFault_ThatIsAVmExit_LeavesCr2()
    {
        using BareMachine machine = Machine();
        machine.System.Cr2 = 0x1234;
        machine.Unmap(First);
        machine.Registers.Rsi = First + 5;
        machine.Assemble(c => c.mov(rax, __qword_ptr[rsi]));

        Assert.Equal(First + 5, machine.Run().Linear.Value);

        Assert.Equal(0x1234UL, machine.System.Cr2);
    }

    /// <summary>APM 3: undefined where CPUID Fn8000_0008_EBX does not name them.</summary>
    [Theory]
    [InlineData(new byte[] { 0x0F, 0x01, 0xFE })]
    [InlineData(new byte[] { 0x0F, 0x01, 0xFF })]
    [Rule("T18")]
    public void BroadcastInvalidation_WithoutTheFeature_IsUndefined(byte[] code)
    {
        using BareMachine machine = Machine();
        machine.WriteBytes(BareMachine.Code, code);

        Assert.Equal(ExceptionVector.InvalidOpcode, machine.Run().Vector);
    }

    private static BareMachine Machine() => new(new BareMachineOptions { InterceptExceptions = true });

    private static ulong EntryFlags(BareMachine machine, ulong linear) => machine.Tables.Read(new LinearAddress(linear), 1) & Flags;

    private static void AssembleReadModifyWrite(BareMachine machine, string name) => machine.Assemble(c =>
    {
        c.mov(rsi, First);
        c.xor(eax, eax);
        switch (name)
        {
            case "add": c.add(__qword_ptr[rsi], rax); break;
            case "lock xadd": c.@lock.xadd(__qword_ptr[rsi], rax); break;
            case "cmpxchg": c.cmpxchg(__qword_ptr[rsi], rdx); break;
            default: c.bts(__qword_ptr[rsi], 7); break;
        }

        c.ud2();
    });
}
