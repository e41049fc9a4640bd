using Mmu86.Cpu;
using Mmu86.Memory;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.Tests.Paging;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Strings;

/// <summary>Repeated string instructions that stop between elements and go on. SDM 2, "REP/REPE/REPZ/REPNE/REPNZ".</summary>
public sealed class StringRestartTests
{
    private const ulong Source = StringMachine.Data;
    private const ulong Target = StringMachine.Data + 0x8000;

    public static TheoryData<bool> EachMachine => [false, true];

    [Theory]
    [MemberData(nameof(EachMachine))]
    public void RepMovs_DestinationPageAbsent_StopsBehindTheElementsBeforeIt(bool looksUpEveryAccess)
    {
        using StringMachine machine = Machine(looksUpEveryAccess);
        machine.Load(assembler =>
        {
            assembler.rep.movsq();
            StringMachine.End(assembler);
        });
        machine.Write(0, Enumerable.Range(0, 4096).Select(i => (byte)(i | 1)).ToArray());
        // Three elements before the page ends, then one that lies in both pages.
        SetRegisters(machine, Source, Target + 0x1000 - 27, 10);
        machine.Unmap(Target + 0x1000);

        VmExit exit = machine.Run();

        Assert.Equal(VmExitReason.Exception, exit.Reason);
        Assert.Equal(ExceptionVector.PageFault, exit.Vector);
        Assert.Equal(PageFaultErrorCode.Write, (PageFaultErrorCode)exit.ErrorCode);
        Assert.Equal(Target + 0x1000, exit.Linear.Value);
        Assert.Equal((StringMachine.Code, 7UL, Source + 24, Target + 0x1000 - 3),
            (machine.Registers.Rip, machine.Registers.Rcx, machine.Registers.Rsi, machine.Registers.Rdi));
        Assert.Equal(new byte[3], machine.ReadAll()[(0x9000 - 3)..0x9000]);
        CpuCounters counters = machine.Vcpu.Counters;
        Assert.Equal((0UL, 3UL, 3UL, 3UL), (counters.Instructions, counters.RepIterations, counters.Loads, counters.Stores));
        // Three pairs, the load of the fourth element, and both pages of its store.
        Assert.Equal(3UL + 3 + 1 + 2, counters.DataLookups);

        machine.Remap(Target + 0x1000);
        Assert.Equal(VmExitReason.Marker, machine.Run().Reason);
        Assert.Equal(machine.ReadAll()[..80], machine.ReadAll()[(0x9000 - 27)..(0x9000 + 53)]);
        Assert.Equal((2UL, 10UL, 10UL, 10UL, 1UL), (counters.Instructions, counters.RepIterations, counters.Loads, counters.Stores, counters.Splits));
        // The faulting attempt and the one that ended were both fetched.
        Assert.Equal(3UL, counters.FetchLookups);
    }

    [Theory]
    [MemberData(nameof(EachMachine))]
    public void RepeCmps_BackwardsIntoAnAbsentPage_KeepsTheFlagsFromBeforeTheInstruction(bool looksUpEveryAccess)
    {
        using StringMachine machine = Machine(looksUpEveryAccess);
        machine.Load(assembler =>
        {
            assembler.repe.cmpsb();
            StringMachine.End(assembler);
        });
        SetRegisters(machine, Source + 0x1004, Target + 0x100, 100);
        machine.Registers.Flags = RFlags.Reserved1 | RFlags.Direction | RFlags.Carry;
        machine.Unmap(Source);

        Assert.Equal(ExceptionVector.PageFault, machine.Run().Vector);

        Assert.Equal((95UL, Source + 0xFFF, Target + 0xFB), (machine.Registers.Rcx, machine.Registers.Rsi, machine.Registers.Rdi));
        // SDM 2, "REP/REPE/REPZ/REPNE/REPNZ": a page fault restores EFLAGS to the state prior to the execution of the instruction.
        Assert.Equal(RFlags.Reserved1 | RFlags.Direction | RFlags.Carry, machine.Registers.Flags);
        Assert.Equal((5UL, 10UL), (machine.Vcpu.Counters.RepIterations, machine.Vcpu.Counters.Loads));
    }

    [Fact]
    public void RepStos_32BitAddressesAndNothingDone_KeepsTheUpperHalves()
    {
        using StringMachine machine = Machine(false);
        machine.Load(assembler => assembler.db(0x67, 0xF3, 0xAA));
        const ulong High = 0xABCD_0000_0000_0000;
        SetRegisters(machine, 0, High | Target, High | 3);
        machine.Unmap(Target);

        Assert.Equal(ExceptionVector.PageFault, machine.Run().Vector);

        Assert.Equal((High | Target, High | 3), (machine.Registers.Rdi, machine.Registers.Rcx));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void RepLods_32BitOffsetWrapsInTheMiddleOfAPage_GoesOnAtTheSegmentBase(bool isBackward)
    {
        const ulong Base = 0x50_0800;
        using StringMachine machine = Machine(false);
        machine.Map(Base, StringMachine.FrameOf(0));
        machine.Map(Base + 0x1_0000_0000, StringMachine.FrameOf(1));
        machine.Map(Base - 0x1000, StringMachine.FrameOf(2));
        machine.Write(0x7F0, Enumerable.Repeat((byte)0x11, 0x20).ToArray());
        machine.Write(0x800, Enumerable.Repeat((byte)0x22, 4).ToArray());
        machine.Write(0x1000, Enumerable.Repeat((byte)0x33, 4096).ToArray());
        machine.Load(assembler =>
        {
            assembler.db(0x64, 0x67, 0xF3, 0xAC);
            StringMachine.End(assembler);
        });
        SetRegisters(machine, isBackward ? 1UL : 0xFFFF_FFFE, 0, 4);
        machine.Registers.FsBase = Base;
        machine.Registers.Flags = RFlags.Reserved1 | (isBackward ? RFlags.Direction : 0);

        Assert.Equal(VmExitReason.Marker, machine.Run().Reason);

        Assert.Equal(isBackward ? 0x33UL : 0x22UL, machine.Registers.Rax);
        Assert.Equal(isBackward ? 0xFFFF_FFFDUL : 2, machine.Registers.Rsi);
    }

    [Fact]
    [Rule("P03")]
    public void RepMovs_NonCanonicalDestination_IsGeneralProtectionAndNoLookup()
    {
        using StringMachine machine = Machine(false);
        machine.Load(assembler => assembler.rep.movsb());
        SetRegisters(machine, Source, 0x8000_0000_0000, 1);

        VmExit exit = machine.Run();

        Assert.Equal((ExceptionVector.GeneralProtection, 0U), (exit.Vector, exit.ErrorCode));
        Assert.Equal((1UL, 0UL), (machine.Vcpu.Counters.DataLookups, machine.Vcpu.Counters.Loads));
    }

    [Theory]
    [MemberData(nameof(EachMachine))]
    public void RepStos_LongerThanOneTurn_IsOneInstructionFetchedOnce(bool looksUpEveryAccess)
    {
        const ulong Far = 0x80_0000;
        const ulong Count = (3 * 65536) + 5;
        using StringMachine machine = Machine(looksUpEveryAccess);
        for (ulong page = 0; page < 50; page++)
            machine.Map(Far + (page << 12), Far + (page << 12));
        machine.Load(assembler =>
        {
            assembler.mov(rbx, __qword_ptr[StringMachine.Data]);
            assembler.rep.stosb();
            StringMachine.End(assembler);
        });
        SetRegisters(machine, 0, Far, Count);
        machine.Registers.Rax = 0x5A;

        Assert.Equal(VmExitReason.Marker, machine.Run().Reason);

        CpuCounters counters = machine.Vcpu.Counters;
        Assert.Equal((3UL, 3UL, Count, Count, 1UL),
            (counters.Instructions, counters.FetchLookups, counters.RepIterations, counters.Stores, counters.Loads));
        Assert.Equal(0x5A, machine.Memory.Read<byte>(new HostPhysicalAddress(Far + Count - 1)));
        Assert.Equal(0, machine.Memory.Read<byte>(new HostPhysicalAddress(Far + Count)));
    }

    [Fact]
    public void RepMovs_WithTrapFlag_TrapsAfterEachElement()
    {
        using StringMachine machine = Machine(false);
        machine.Load(assembler =>
        {
            assembler.rep.movsw();
            StringMachine.End(assembler);
        });
        SetRegisters(machine, Source, Target, 3);
        machine.Registers.Flags = RFlags.Reserved1 | RFlags.Trap;

        for (ulong left = 2; left > 0; left--)
        {
            Assert.Equal(ExceptionVector.Debug, machine.Run().Vector);
            Assert.Equal((StringMachine.Code, left), (machine.Registers.Rip, machine.Registers.Rcx));
        }

        Assert.Equal(ExceptionVector.Debug, machine.Run().Vector);
        Assert.Equal((StringMachine.Code + 3, 0UL), (machine.Registers.Rip, machine.Registers.Rcx));
        Assert.Equal((1UL, 3UL), (machine.Vcpu.Counters.Instructions, machine.Vcpu.Counters.FetchLookups));
    }

    [Fact]
    public void RepMovs_DeviceAsksForAStop_StopsBehindItsElement()
    {
        const ulong DevicePage = 0x50_0000;
        using StringMachine machine = Machine(false);
        var device = new StoppingDevice(machine.Vcpu, stopAt: 4);
        machine.Mmio.Attach(new HostPhysicalAddress(0xFEB0_0000), 0x1000, device);
        machine.Map(DevicePage, 0xFEB0_0000);
        machine.Load(assembler =>
        {
            assembler.rep.movsd();
            StringMachine.End(assembler);
        });
        SetRegisters(machine, DevicePage, Target, 6);

        Assert.Equal(VmExitReason.StopRequested, machine.Run().Reason);
        Assert.Equal((StringMachine.Code, 2UL), (machine.Registers.Rip, machine.Registers.Rcx));

        Assert.Equal(VmExitReason.Marker, machine.Run().Reason);
        Assert.Equal([0, 4, 8, 12, 16, 20], device.Offsets);
        Assert.Equal((2UL, 6UL, 3UL), (machine.Vcpu.Counters.Instructions, machine.Vcpu.Counters.RepIterations, machine.Vcpu.Counters.FetchLookups));
    }

    private static StringMachine Machine(bool looksUpEveryAccess) =>
        new(Machines.Skylake with { LookUpEveryAccess = looksUpEveryAccess });

    private static void SetRegisters(StringMachine machine, ulong rsi, ulong rdi, ulong rcx)
    {
        machine.Registers.Rsi = rsi;
        machine.Registers.Rdi = rdi;
        machine.Registers.Rcx = rcx;
        machine.Registers.Flags = RFlags.Reserved1;
    }

    private sealed class StoppingDevice(Vcpu vcpu, int stopAt) : IMmioDevice
    {
        public List<ulong> Offsets { get; } = [];

        public ulong Read(ulong offset, int size)
        {
            Offsets.Add(offset);
            if (Offsets.Count == stopAt)
                vcpu.RequestStop();
            return 0;
        }

        public void Write(ulong offset, ulong value, int size) => throw new InvalidOperationException("Nothing is stored here.");
    }
}
