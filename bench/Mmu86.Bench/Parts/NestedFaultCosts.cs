using BenchmarkDotNet.Attributes;
using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.Hypervisor;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Running;
using Mmu86.Loaders;
using Mmu86.Memory;
using Mmu86.X86;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Bench.Parts;

/// <summary>What the first touch of a page costs: EPT violation, VM exit, a zeroed frame, an entry, and the instruction again.</summary>
/// <remarks>The host's frames were all used before, so each is scrubbed and the real machine has pages behind them. The guest's own four instructions a page are in it.</remarks>
public class NestedFaultCosts
{
    private const int Pages = 1 << 14;
    private const ulong FirstPage = 16UL << 20;
    private const ulong MemoryBytes = 128UL << 20;

    private VirtualHost _host = null!;
    private GuestMachine _machine = null!;

    [GlobalSetup]
    public void SetUp()
    {
        _host = new VirtualHost(new HostMemory(MemoryBytes), VirtualHostOptions.Standard);

        // Twice, so that in the end every frame that is given out comes back from somebody.
        for (int i = 0; i < 2; i++)
        {
            Make();
            Touch();
            CleanUpMachine();
        }
    }

    [IterationSetup]
    public void Make() => _machine = GuestMachine.BuildOn(
        new SharedHost(_host, null, null),
        new RunOptions
        {
            Program = new ProgramImage { Name = "touch", Bytes = Assemble(), Arguments = [] },
            Format = ImageKind.Flat,
            Machine = MachineCatalogue.Preset(MachineCatalogue.DefaultName),
            Paging = PagingMode.Nested,
            GuestPage = PageSize.Size2M,
            HostPage = PageSize.Size4K,
            Fidelity = Fidelity.Tlb,
            MemoryBytes = MemoryBytes,
            Seed = 1,
        },
        GuestOutput.None);

    /// <summary>Touches pages, one after the other.</summary>
    [Benchmark(OperationsPerInvoke = Pages, Description = "EPT violation, demand zero, to the resumed guest")]
    public void Touch()
    {
        ulong before = _machine.Virtual!.PagesPopulated;
        MachineStop stop = _machine.RunOn(ulong.MaxValue);
        if (stop.Exit.Reason != VmExitReason.Halt || _machine.Virtual.PagesPopulated - before < Pages)
            throw new MeasurementException("The guest did not touch what it should have.");
    }

    [IterationCleanup]
    public void CleanUpMachine() => _machine.Dispose();

    [GlobalCleanup]
    public void CleanUp() => _host.Dispose();

    private static byte[] Assemble()
    {
        var c = new Assembler(64);
        Label page = c.CreateLabel();
        c.mov(rdi, FirstPage);
        c.mov(ecx, Pages);
        c.Label(ref page);
        c.add(__qword_ptr[rdi], rcx);
        c.add(rdi, 4096);
        c.dec(ecx);
        c.jnz(page);
        c.hlt();
        var code = new MemoryStream();
        c.Assemble(new StreamCodeWriter(code), 0);
        return code.ToArray();
    }
}
