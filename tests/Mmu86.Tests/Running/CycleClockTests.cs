using Iced.Intel;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Loaders;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Running;

/// <summary>RDTSC with a clock that counts cycles: it shows the cost of every earlier instruction, exactly.</summary>
public sealed class CycleClockTests
{
    private const ulong Origin = 0x10_0000, Data = 0x40_0000;
    private const int Pages = 200, Rounds = 20;

    [Theory]
    [InlineData(Fidelity.Tlb, PagingMode.Native, false)]
    [InlineData(Fidelity.Tlb, PagingMode.Nested, false)]
    [InlineData(Fidelity.Tlb, PagingMode.Native, true)]
    [InlineData(Fidelity.Cycles, PagingMode.Native, false)]
    [InlineData(Fidelity.Cycles, PagingMode.Nested, false)]
    public void Rdtsc_InTheMiddleOfARun_ShowsTheCyclesOfAllBeforeIt(Fidelity fidelity, PagingMode paging, bool looksUpEveryAccess)
    {
        RunOptions options = Options(fidelity, paging, looksUpEveryAccess, "cycles", out ulong readAt);
        using GuestMachine whole = GuestMachine.Build(options, GuestOutput.None, null);
        Assert.Equal(ExitKind.Halted, whole.Run(ulong.MaxValue, _ => { })!.Kind);
        ulong shown = whole.Vcpu.Registers[8];

        using GuestMachine cut = GuestMachine.Build(options, GuestOutput.None, null);
        Assert.Null(cut.Run(whole.Vcpu.Counters.Instructions - 60, _ => { }));
        while (cut.Vcpu.Registers.Rip != readAt)
            Assert.Null(cut.Run(cut.Vcpu.Counters.Instructions + 1, _ => { }));
        long before = Cycles(options, cut);

        // In the fidelity 'cycles' RDTSC's own cycle has begun when it reads the clock.
        Assert.Equal((ulong)before + (fidelity == Fidelity.Cycles ? 1u : 0), shown);
        Assert.True(shown > whole.Vcpu.Counters.Instructions, "misses cost something");
    }

    [Theory]
    [InlineData(Fidelity.Fast)]
    [InlineData(Fidelity.Tlb)]
    [InlineData(Fidelity.Cycles)]
    public void Rdtsc_WithTheInstructionClock_ShowsTheSameInEveryFidelity(Fidelity fidelity)
    {
        RunOptions options = Options(fidelity, PagingMode.Native, false, "instructions", out _);
        using GuestMachine machine = GuestMachine.Build(options, GuestOutput.None, null);
        machine.Run(ulong.MaxValue, _ => { });

        // Behind it: SHL, OR, MOV, 40 NOPs and HLT; RDTSC itself had not retired.
        Assert.Equal(machine.Vcpu.Counters.Instructions - 45, machine.Vcpu.Registers[8]);
    }

    private static long Cycles(RunOptions options, GuestMachine machine) =>
        new RunCountsReader(options.Machine, options.Paging, options.Fidelity).Read(machine.Vcpu.Counters, machine.Vcpu.Statistics, machine.Timing?.Statistics).Cycles!.Value;

    // Loads from many pages, then reads the clock into R8.
    private static RunOptions Options(Fidelity fidelity, PagingMode paging, bool looksUpEveryAccess, string clock, out ulong readAt)
    {
        var c = new Assembler(64);
        Label round = c.CreateLabel(), page = c.CreateLabel(), read = c.CreateLabel();
        c.mov(ecx, Rounds);
        c.Label(ref round);
        c.mov(ebx, (uint)Data);
        c.mov(edx, Pages);
        c.Label(ref page);
        c.add(rax, __[rbx]);
        c.mov(__[rbx + 8], rax);
        c.add(rbx, 4096);
        c.dec(edx);
        c.jne(page);
        c.dec(ecx);
        c.jne(round);
        c.lfence();
        c.Label(ref read);
        c.rdtsc();
        c.shl(rdx, 32);
        c.or(rax, rdx);
        c.mov(r8, rax);
        for (int i = 0; i < 40; i++)
            c.nop();
        c.hlt();
        using var stream = new MemoryStream();
        AssemblerResult result = c.Assemble(new StreamCodeWriter(stream), Origin, BlockEncoderOptions.ReturnNewInstructionOffsets);
        readAt = result.GetLabelRIP(read);
        return new RunOptions
        {
            Program = new ProgramImage { Name = "clock", Bytes = stream.ToArray(), Arguments = [] },
            Format = ImageKind.Flat,
            LoadAddress = Origin,
            Machine = MachineCatalogue.Find("skylake", [$"clock.counts={clock}", $"mmu.lookUpEveryAccess={(looksUpEveryAccess ? "true" : "false")}"]),
            Paging = paging,
            GuestPage = PageSize.Size4K,
            HostPage = PageSize.Size4K,
            Fidelity = fidelity,
            MemoryBytes = SmallRuns.MemoryBytes,
            Seed = 1,
        };
    }
}
