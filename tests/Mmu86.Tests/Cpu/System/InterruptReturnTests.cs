using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.TestKit.Machines;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>IRET in 64-bit mode.</summary>
public sealed class InterruptReturnTests
{
    private const ulong FrameAt = BareMachine.KernelStackTop - 40;

    /// <summary>The table of frames.</summary>
    public static TheoryRows Rules => RuleTable.Read("interrupt-returns.txt");

    [Theory]
    [MemberData(nameof(Rules))]
    public void Iretq_OfTheTable_ReturnsOrFaults(string line)
    {
        string[] columns = RuleTable.Columns(line);
        using var machine = new BareMachine();
        machine.Registers.Rip = BareMachine.Code + 0x800;
        machine.Registers.Rsp = FrameAt;
        ulong[] frame = [BareMachine.UserCode, BareSelectors.UserCode, 0x202, BareMachine.UserStackTop, BareSelectors.UserData];
        Change(machine, frame, RuleTable.Words(columns[0]));
        for (int i = 0; i < frame.Length; i++)
            machine.Write(FrameAt + ((ulong)i * 8), frame[i]);
        machine.Assemble(c => c.iretq());
        machine.Assemble(BareMachine.UserCode, c => c.ud2());
        machine.Assemble(BareMachine.Code, c => c.ud2());

        string outcome = MachineOutcome.Run(machine);

        Assert.Equal(columns[1] == "ok" ? "#UD" : columns[1], outcome);
        var vector = (ExceptionVector)((machine.Registers.Rip - 1 - BareMachine.Handlers) / 16);
        EventFrame found = machine.Frame(vector);
        if (columns[1] == "ok")
        {
            var expected = new EventFrame(null, frame[0], (ushort)frame[1], (RFlags)frame[2] | RFlags.Resume, frame[3], (ushort)frame[4]);
            Assert.Equal(expected, found);
        }
        else
        {
            Assert.Equal((BareMachine.Code + 0x800, FrameAt), (found.Rip, found.Rsp));
        }
    }

    [Fact]
    public void Iretq_FromRing3ToRing3_ChangesNeitherInterruptFlagNorIoPrivilege()
    {
        using var machine = new BareMachine();
        machine.EnterUserMode();
        machine.Assemble(c =>
        {
            c.push(BareSelectors.UserData);
            c.push(0x7000);
            c.push(0x3297);
            c.push(BareSelectors.UserCode);
            c.push(0x20_0040);
            c.iretq();
        });
        machine.Assemble(BareMachine.UserCode + 0x40, c => c.ud2());

        Assert.Equal("#UD", MachineOutcome.Run(machine));

        EventFrame frame = machine.Frame(ExceptionVector.InvalidOpcode);
        Assert.Equal((BareMachine.UserCode + 0x40, 0x7000UL), (frame.Rip, frame.Rsp));
        Assert.Equal((RFlags)0x97 | RFlags.Resume, frame.Flags);
    }

    [Fact]
    public void Iretd_ToRing3_PopsFiveDoublewords()
    {
        using var machine = new BareMachine();
        uint[] frame = [(uint)BareMachine.UserCode, BareSelectors.UserCode, 0x202, (uint)BareMachine.UserStackTop, BareSelectors.UserData];
        for (int i = 0; i < frame.Length; i++)
            machine.WriteBytes(FrameAt + ((ulong)i * 4), BitConverter.GetBytes(frame[i]));
        machine.Registers.Rsp = FrameAt;
        machine.Assemble(c => c.iretd());
        machine.Assemble(BareMachine.UserCode, c => c.ud2());

        Assert.Equal("#UD", MachineOutcome.Run(machine));

        EventFrame found = machine.Frame(ExceptionVector.InvalidOpcode);
        Assert.Equal((BareMachine.UserCode, BareMachine.UserStackTop, BareSelectors.UserData), (found.Rip, found.Rsp, found.Ss));
    }

    [Fact]
    public void Iretq_ToRing3_NullsSegmentsThatRing3MayNotUse()
    {
        using var machine = new BareMachine();
        machine.System.Ds = BareSelectors.Segment(BareSelectors.KernelData);
        machine.System.Es = BareSelectors.Segment(BareSelectors.UserData);
        machine.System.Fs = BareSelectors.Segment(BareSelectors.KernelData);
        machine.Registers.FsBase = 0x1234;
        machine.Registers.GsBase = 0x5678;
        ulong[] frame = [BareMachine.UserCode, BareSelectors.UserCode, 0x202, BareMachine.UserStackTop, BareSelectors.UserData];
        for (int i = 0; i < frame.Length; i++)
            machine.Write(FrameAt + ((ulong)i * 8), frame[i]);
        machine.Registers.Rsp = FrameAt;
        machine.Assemble(c => c.iretq());
        machine.Assemble(BareMachine.UserCode, c => c.ud2());

        Assert.Equal("#UD", MachineOutcome.Run(machine));

        Assert.Equal((0, BareSelectors.UserData, 0), (machine.System.Ds.Selector, machine.System.Es.Selector, machine.System.Fs.Selector));
        Assert.Equal((0UL, 0x5678UL), (machine.Registers.FsBase, machine.Registers.GsBase));
    }

    private static void Change(BareMachine machine, ulong[] frame, string[] changes)
    {
        foreach (string change in changes)
        {
            if (change == "nt")
            {
                machine.Registers.Flags = RFlags.NestedTask;
                continue;
            }

            string[] parts = change.Split('=');
            ulong value = RuleTable.Number(parts[1]);
            int index = Array.IndexOf(["rip", "cs", "flags", "rsp", "ss"], parts[0]);
            if (index >= 0)
                frame[index] = value;
            else
                machine.SetDescriptor(BareSelectors.Free, value);
        }
    }
}
