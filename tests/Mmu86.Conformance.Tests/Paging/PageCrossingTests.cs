using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>Accesses and fetches of which a part lies in another page.</summary>
public sealed class PageCrossingTests
{
    private const ulong First = BareMachine.Data;
    private const ulong Second = BareMachine.Data + 0x1000;
    private const ulong Flags = PagingEntry.Accessed | PagingEntry.Dirty;

    /// <summary>SDM 3, "Page-Fault Exceptions": eight bytes of which four lie in each page; the address is that of the first byte that failed.</summary>
    [Theory]
    [InlineData(true, true, 0UL, 0u)]
    [InlineData(true, false, Second, 2u)]
    [InlineData(false, true, Second - 4, 2u)]
    [InlineData(false, false, Second - 4, 2u)]
    [Rule("R12")]
    [Rule("F04")]
    public void Store_AcrossTwoPages_StoresNothingUnlessBothAreGood(bool isFirstPresent, bool isSecondPresent, ulong address, uint errorCode)
    {
        using BareMachine machine = Machine();
        machine.Write(Second - 8, 0x1111_1111_1111_1111);
        machine.Write(Second, 0x2222_2222_2222_2222);
        if (!isFirstPresent)
            machine.Unmap(First);
        if (!isSecondPresent)
            machine.Unmap(Second);
        machine.Assemble(c =>
        {
            c.mov(rsi, Second);
            c.mov(rax, -1L);
            c.mov(__qword_ptr[rsi - 4], rax);
            c.ud2();
        });

        VmExit exit = machine.Run();

        bool isStored = isFirstPresent && isSecondPresent;
        Assert.Equal(isStored ? ExceptionVector.InvalidOpcode : ExceptionVector.PageFault, exit.Vector);
        Assert.Equal(isStored ? 0xFFFF_FFFF_1111_1111UL : 0x1111_1111_1111_1111UL, machine.Read(Second - 8));
        Assert.Equal(isStored ? 0x2222_2222_FFFF_FFFFUL : 0x2222_2222_2222_2222UL, machine.Read(Second));
        if (!isStored)
            Assert.Equal((address, errorCode), (exit.Linear.Value, exit.ErrorCode));
    }

    [Fact]
    [Rule("A09")]
    public void Store_AcrossTwoPages_SetsTheFlagsOfBoth()
    {
        using BareMachine machine = Machine();
        machine.Assemble(c =>
        {
            c.mov(rsi, Second);
            c.mov(rax, __qword_ptr[rsi - 4]);
            c.mov(__qword_ptr[rsi - 2], rax);
            c.ud2();
        });

        machine.Run();

        Assert.Equal((Flags, Flags), (EntryFlags(machine, First), EntryFlags(machine, Second)));
    }

    [Fact]
    [Rule("A09")]
    [Rule("A03")]
    public void Load_AcrossTwoPages_SetsAccessedOfBothAndDirtyOfNone()
    {
        using BareMachine machine = Machine();
        machine.Assemble(c =>
        {
            c.mov(rsi, Second);
            c.mov(rax, __qword_ptr[rsi - 4]);
            c.ud2();
        });

        machine.Run();

        Assert.Equal((PagingEntry.Accessed, PagingEntry.Accessed), (EntryFlags(machine, First), EntryFlags(machine, Second)));
    }

    /// <summary>Seven bytes of MOV r64, imm32, of which some lie in the absent page behind.</summary>
    [Theory]
    [InlineData(6)]
    [InlineData(3)]
    [InlineData(1)]
    [Rule("F11")]
    public void Fetch_AcrossTwoPages_FaultsOnTheSecondWithRipAtTheInstruction(int bytesInFirst)
    {
        const ulong Next = BareMachine.Code + 0x1000;
        using BareMachine machine = Machine();
        machine.Unmap(Next);
        machine.Registers.Rip = Next - (ulong)bytesInFirst;
        machine.WriteBytes(machine.Registers.Rip, [0x48, 0xC7, 0xC0, 1, 2, 3, 4]);

        VmExit exit = machine.Run();

        Assert.Equal((ExceptionVector.PageFault, 0x10u, Next), (exit.Vector, exit.ErrorCode, exit.Linear.Value));
        Assert.Equal(Next - (ulong)bytesInFirst, machine.Registers.Rip);
    }

    /// <summary>The last instruction ends where the page ends: only going on faults. An undefined opcode needs no byte of the next page either.</summary>
    [Theory]
    [InlineData(new byte[] { 0x48, 0xC7, 0xC0, 1, 2, 3, 4 }, ExceptionVector.PageFault)]
    [InlineData(new byte[] { 0x0F, 0x0B }, ExceptionVector.InvalidOpcode)]
    [Rule("F11")]
    public void Fetch_UpToTheEndOfAPage_NeedsNotTheNext(byte[] code, ExceptionVector vector)
    {
        const ulong Next = BareMachine.Code + 0x1000;
        using BareMachine machine = Machine();
        machine.Unmap(Next);
        machine.Registers.Rip = Next - (ulong)code.Length;
        machine.WriteBytes(machine.Registers.Rip, code);

        VmExit exit = machine.Run();

        Assert.Equal(vector, exit.Vector);
        Assert.Equal(vector == ExceptionVector.PageFault ? Next : Next - (ulong)code.Length, machine.Registers.Rip);
        Assert.Equal(vector == ExceptionVector.PageFault ? 0x0403_0201UL : 0, machine.Registers.Rax);
    }

    /// <summary>The lower page is absent, so its #PF would come first if only one part were looked at.</summary>
    [Theory]
    [InlineData(false, ExceptionVector.GeneralProtection)]
    [InlineData(true, ExceptionVector.StackFault)]
    [Rule("P03")]
    public void Load_AcrossTheCanonicalBoundary_IsNoPageFault(bool isStack, ExceptionVector vector)
    {
        using BareMachine machine = Machine();
        machine.System.Cr2 = 0x1234;
        machine.Registers.Rbp = 0x7FFF_FFFF_FFFC;
        machine.Registers.Rsi = 0x7FFF_FFFF_FFFC;
        machine.Assemble(c => c.mov(rax, isStack ? __qword_ptr[rbp] : __qword_ptr[rsi]));

        VmExit exit = machine.Run();

        Assert.Equal((vector, 0u), (exit.Vector, exit.ErrorCode));
        Assert.Equal(0x1234UL, machine.System.Cr2);
    }

    private static BareMachine Machine() => new(new BareMachineOptions { InterceptExceptions = true });

    private static ulong EntryFlags(BareMachine machine, ulong linear) => machine.Tables.Read(new LinearAddress(linear), 1) & Flags;
}
