using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.Memory;
using Mmu86.TestKit.Machines;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu;

/// <summary>
/// Code beyond 48 bits. SDM 1, "Canonical Addressing" and SDM 3, "5-Level Paging": what is loaded into RIP must be canonical for the paging mode
/// in force, what base registers and model-specific registers hold for the widest mode that the processor has.
/// </summary>
public sealed class FiveLevelCodeTests
{
    private const ulong Low = 0;

    // Canonical with 57 bits and not with 48, in either half; canonical with neither.
    private const ulong Wide = 0x0080_0000_0000_0000;
    private const ulong WideUpper = 0xFF80_0000_0000_0000;
    private const ulong Nowhere = 0x0100_0000_0000_0000;

    private const ulong Target = BareMachine.Code + 0x800;
    private const ulong UserTarget = BareMachine.UserCode + 0x800;
    private const ulong Pml5 = 0xA0_0000;
    private const byte Vector = 0x30;
    private const ulong Gate = 12UL << 40 | BareSelectors.Present;

    private static readonly string[] Names =
    [
        "jmp r", "jmp m", "call r", "call m", "ret", "ret n", "jmp far", "call far", "jmp gate", "call gate", "retf", "iretq", "int", "sysretq", "sysexitq",
    ];

    /// <summary>Every instruction that loads RIP, with every kind of target in both paging modes.</summary>
    public static TheoryData<string, ulong, bool, bool> Transfers
    {
        get
        {
            var rows = new TheoryData<string, ulong, bool, bool>();
            foreach (string name in Names)
            {
                foreach (bool isFiveLevel in new[] { false, true })
                {
                    rows.Add(name, Low, isFiveLevel, true);
                    rows.Add(name, Wide, isFiveLevel, isFiveLevel);
                    rows.Add(name, WideUpper, isFiveLevel, isFiveLevel);
                    rows.Add(name, Nowhere, isFiveLevel, false);
                }
            }

            return rows;
        }
    }

    [Theory]
    [Rule("P03")]
    [Rule("P14")]
    [MemberData(nameof(Transfers))]
    public void Transfer_ToAnAddressOfTheOtherWidth_IsRefusedAtTheInstruction(string name, ulong where, bool isFiveLevel, bool isAllowed)
    {
        using BareMachine machine = Make(isFiveLevel);
        ulong target = where + (name.StartsWith("sys", StringComparison.Ordinal) ? UserTarget : Target);
        machine.Assemble(Target, c => c.ud2());
        machine.Assemble(UserTarget, c => c.ud2());
        Prepare(machine, name, target);
        ulong stack = machine.Registers.Rsp;

        string outcome = MachineOutcome.Run(machine);

        Assert.Equal(isAllowed ? "#UD" : "#GP 0x0", outcome);
        EventFrame frame = machine.Frame(isAllowed ? ExceptionVector.InvalidOpcode : ExceptionVector.GeneralProtection);
        Assert.Equal(isAllowed ? target : BareMachine.Code, frame.Rip);
        if (!isAllowed)
            Assert.Equal((stack, 0UL), (frame.Rsp, machine.Vcpu.Counters.Instructions - 1));
    }

    // SYSCALL and SYSENTER load RIP unchecked: what is wrong with it shows when the next instruction is fetched.
    [Theory]
    [Rule("P14")]
    [InlineData("syscall", false, "#GP 0x0")]
    [InlineData("syscall", true, "#UD")]
    [InlineData("sysenter", false, "#GP 0x0")]
    [InlineData("sysenter", true, "#UD")]
    public void SystemCall_ToAWideEntryPoint_IsJudgedByTheFetch(string name, bool isFiveLevel, string outcome)
    {
        using BareMachine machine = Make(isFiveLevel);
        machine.System.Star = (ulong)BareSelectors.KernelCode << 32;
        machine.System.SysenterCs = BareSelectors.KernelCode;
        machine.System.SysenterEsp = BareMachine.KernelStackTop;
        machine.Registers.Rcx = name == "syscall" ? 0xC000_0082 : 0x176;
        machine.Registers.Rax = Target;
        machine.Registers.Rdx = Wide >> 32;
        machine.Assemble(Target, c => c.ud2());
        machine.Assemble(c =>
        {
            c.wrmsr();
            if (name == "syscall")
                c.syscall();
            else
                c.sysenter();
        });

        Assert.Equal(outcome, MachineOutcome.Run(machine));

        ExceptionVector vector = isFiveLevel ? ExceptionVector.InvalidOpcode : ExceptionVector.GeneralProtection;
        Assert.Equal(Wide + Target, machine.Frame(vector).Rip);
    }

    [Theory]
    [Rule("P03")]
    [Rule("P14")]
    [InlineData(false, "#SS 0x0")]
    [InlineData(true, "vector 48")]
    public void Delivery_OnAWideStack_IsJudgedByThePagingMode(bool isFiveLevel, string outcome)
    {
        using BareMachine machine = Make(isFiveLevel);
        machine.Write(BareMachine.Tss + 0x2C, Wide + BareMachine.InterruptStackTop);
        machine.SetGate(Vector, BareMachine.DefaultGate(Vector) with { InterruptStack = 2 });
        machine.Assemble(c => c.@int(Vector));

        Assert.Equal(outcome, MachineOutcome.Run(machine));

        if (isFiveLevel)
            Assert.Equal(Wide + BareMachine.InterruptStackTop - 40, machine.Registers.Rsp);
    }

    [Theory]
    [Rule("P14")]
    [InlineData(false)]
    [InlineData(true)]
    public void Program_WhereverItLies_DoesAndCountsTheSame(bool looksUpEveryAccess)
    {
        string low = RunProgram(Low, looksUpEveryAccess);

        Assert.Equal(low, RunProgram(Wide, looksUpEveryAccess));
        Assert.Equal(low, RunProgram(WideUpper, looksUpEveryAccess));
        Assert.StartsWith("halt 6000 ", low, StringComparison.Ordinal);
    }

    // Calls and jumps of every near kind, in a page, to another page and from one instruction that lies in two.
    private static string RunProgram(ulong where, bool looksUpEveryAccess)
    {
        using BareMachine machine = Make(isFiveLevel: true, looksUpEveryAccess);
        machine.Registers.Rip = where + BareMachine.Code;
        machine.Registers.Rsp = where + BareMachine.KernelStackTop;
        machine.Registers.Rsi = where + BareMachine.Data;
        machine.Registers.Rbx = where + BareMachine.Code + 0xFFD;
        machine.Registers.Rdi = where + BareMachine.Code + 0x400;
        machine.Registers.Rcx = 1000;
        machine.Write(BareMachine.Data, where + BareMachine.Code + 0x300);
        machine.Write(BareMachine.Data + 8, where + BareMachine.Code + 0x10F0);
        machine.Assemble(BareMachine.Code, c =>
        {
            Label again = c.CreateLabel();
            Label inner = c.CreateLabel();
            c.jmp(again);
            c.Label(ref inner);
            c.inc(rax);
            c.ret();
            c.Label(ref again);
            c.call(inner);
            c.call(rbx);
            c.call(__qword_ptr[rsi]);
            c.jmp(rdi);
        });
        machine.Assemble(BareMachine.Code + 0x300, c =>
        {
            c.inc(rax);
            c.ret();
        });
        machine.Assemble(BareMachine.Code + 0x400, c => c.jmp(__qword_ptr[rsi + 8]));
        machine.Assemble(BareMachine.Code + 0xFFD, c =>
        {
            c.add(rax, 0x0000_0001);
            c.ret(0);
        });
        machine.Assemble(BareMachine.Code + 0x10F0, c =>
        {
            c.call(BareMachine.Code + 0x300);
            c.call(BareMachine.Code + 0x300);
            c.inc(rax);
            c.dec(rcx);
            c.jne(BareMachine.Code + 6);
            c.hlt();
        });

        string outcome = MachineOutcome.Run(machine);

        CpuCounters counters = machine.Vcpu.Counters;
        return $"{outcome} {machine.Registers.Rax} {counters.Instructions} {counters.Loads} {counters.Stores} {counters.Splits} "
            + $"{counters.DataLookups} {counters.FetchLookups}";
    }

    private static BareMachine Make(bool isFiveLevel, bool looksUpEveryAccess = false)
    {
        var machine = new BareMachine(new BareMachineOptions
        {
            Cpuid = new FullCpuid { StructuredEcxWithout = 0 },
            Mmu = TestMmuConfigurations.SmallSkylake() with { LookUpEveryAccess = looksUpEveryAccess },
        });
        if (!isFiveLevel)
            return machine;

        // The same PML4 table at three places.
        ulong reference = machine.Tables.Root.Value | PagingEntry.Present | PagingEntry.Writable | PagingEntry.User;
        foreach (ulong where in new[] { Low, Wide, WideUpper })
            machine.Write(Pml5 + ((where >> 48 & 0x1FF) * 8), reference);
        machine.System.Cr3 = Pml5;
        machine.System.Cr4 |= Cr4.LinearAddress57;
        machine.Vcpu.ContextChanged();
        return machine;
    }

    private static void Prepare(BareMachine machine, string name, ulong target)
    {
        ulong stack = machine.Registers.Rsp - 64;
        machine.Registers.Rsp = stack;
        machine.Registers.Rsi = BareMachine.Data;
        machine.Write(BareMachine.Data, target);
        switch (name)
        {
            case "jmp r":
                machine.Registers.Rax = target;
                machine.Assemble(c => c.jmp(rax));
                break;
            case "call r":
                machine.Registers.Rax = target;
                machine.Assemble(c => c.call(rax));
                break;
            case "jmp m":
                machine.Assemble(c => c.jmp(__qword_ptr[rsi]));
                break;
            case "call m":
                machine.Assemble(c => c.call(__qword_ptr[rsi]));
                break;
            case "ret":
            case "ret n":
                machine.Write(stack, target);
                machine.Assemble(c =>
                {
                    if (name == "ret")
                        c.ret();
                    else
                        c.ret(8);
                });
                break;
            case "jmp far":
            case "call far":
                machine.Write(BareMachine.Data + 8, BareSelectors.KernelCode);
                machine.Assemble(c => c.db(0x48, 0xFF, name == "jmp far" ? (byte)0x2E : (byte)0x1E));
                break;
            case "jmp gate":
            case "call gate":
                machine.SetDescriptor(
                    BareSelectors.Free, (target & 0xFFFF) | ((ulong)BareSelectors.KernelCode << 16) | Gate | ((target >> 16 & 0xFFFF) << 48));
                machine.SetDescriptor(BareSelectors.Free + 8, target >> 32);
                machine.Write(BareMachine.Data + 8, BareSelectors.Free);
                machine.Assemble(c => c.db(0x48, 0xFF, name == "jmp gate" ? (byte)0x2E : (byte)0x1E));
                break;
            case "retf":
                machine.Write(stack, target);
                machine.Write(stack + 8, BareSelectors.KernelCode);
                machine.Assemble(c => c.db(0x48, 0xCB));
                break;
            case "iretq":
                machine.Write(stack, target);
                machine.Write(stack + 8, BareSelectors.KernelCode);
                machine.Write(stack + 16, (ulong)RFlags.Reserved1);
                machine.Write(stack + 24, BareMachine.KernelStackTop);
                machine.Write(stack + 32, BareSelectors.KernelData);
                machine.Assemble(c => c.iretq());
                break;
            case "int":
                machine.SetGate(Vector, new BareGate { Handler = target });
                machine.Assemble(c => c.@int(Vector));
                break;
            case "sysretq":
                machine.System.Star = (ulong)BareSelectors.UserCompatibility << 48;
                machine.Registers.Rcx = target;
                machine.Assemble(c => c.sysretq());
                break;
            case "sysexitq":
                machine.System.SysenterCs = BareSelectors.KernelCode;
                machine.Registers.Rdx = target;
                machine.Registers.Rcx = BareMachine.UserStackTop;
                machine.Assemble(c => c.sysexitq());
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(name));
        }
    }
}
