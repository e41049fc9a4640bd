using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Running;
using Mmu86.Loaders;
using Mmu86.Loaders.Bare;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Hypervisor;

/// <summary>A virtual machine with several virtual CPUs on one memory: what the host takes away is gone for all of them, and nothing is lost.</summary>
public sealed class SeveralProcessorsTests
{
    private const int Processors = 3;
    private const int Pages = 64;
    private const int Steps = 6000;
    private const ulong MemoryBytes = 8 << 20;
    private const ulong Code = 0x1_0000;
    private const ulong Shared = 0x20_0000;
    private const ulong Own = 0x40_0000;

    [Fact]
    public void Evict_BetweenQuantaOfSeveralProcessors_LosesNoStoreOfAny()
    {
        for (int seed = 0; seed < TestTiers.Pick(3, 10, 200); seed++)
        {
            ulong[] roomy = Run(seed, evicts: false, out ulong swappedIn);
            Assert.Equal(0UL, swappedIn);
            Assert.Equal((ulong)(Processors * Steps), Sum(roomy.AsSpan(0, Pages)));
            Assert.Equal(roomy, Run(seed, evicts: true, out swappedIn));
            Assert.True(swappedIn > 100, $"{swappedIn} pages came back");
        }
    }

    private static ulong Sum(ReadOnlySpan<ulong> counters)
    {
        ulong sum = 0;
        foreach (ulong counter in counters)
            sum += counter;
        return sum;
    }

    // Each adds to counters that all of them share, and counts its own beside, in pages chosen at random.
    private static ulong[] Run(int seed, bool evicts, out ulong swappedIn)
    {
        Random random = TestSeed.Case(80_000 + seed);
        Random victims = TestSeed.Case(90_000 + seed);
        using var world = new MemoryWorld(32 << 20, new ZeroingScrubber());
        VirtualMachine machine = world.Add(MemoryBytes, PageSize.Size4K, NestedFormat.Ept, null);
        BareImage image = BareLoader.Load(new FlatImage(Program(), new GuestPhysicalAddress(Code), new GuestPhysicalAddress(Code)), machine.Memory, PageSize.Size4K);
        MachineDescription description = MachineCatalogue.Find("skylake", []);
        List<Mmu<Unobserved>> mmus = [];
        try
        {
            for (int i = 0; i < Processors; i++)
            {
                mmus.Add(new Mmu<Unobserved>(machine.View, description.ToMmuConfiguration((ulong)seed), default));
                var processor = new Vcpu(
                    new VcpuBus { Memory = machine.View, Ports = machine.Ports, Mmio = machine.Mmio },
                    mmus[i],
                    new VcpuConfiguration
                    {
                        InterceptSyscalls = false,
                        InterceptExceptions = true,
                        ShadowsPaging = false,
                        Cpuid = new MachineCpuid(description.Cpuid),
                        Clock = new InstructionClock(),
                        MaximumMicroOps = 1 << 14,
                    });
                InitialState.Apply(processor, image, machine.Memory.Root, machine.Vpid);
                machine.Attach(processor);
                processor.Registers.Rax = (ulong)random.NextInt64() | 1;
                processor.Registers.Rcx = Steps;
                processor.Registers.Rsi = Own + (ulong)(i * Pages * 4096);
            }

            var running = new HashSet<Vcpu>(machine.Processors);
            while (running.Count > 0)
            {
                foreach (Vcpu processor in machine.Processors)
                {
                    int quantum = random.Next(1, 3000);
                    if (running.Contains(processor) && HasEnded(machine, processor, (ulong)quantum))
                        running.Remove(processor);
                    if (evicts)
                        Evict(machine, victims);
                }
            }

            world.Check();
            ulong[] counters = new ulong[(1 + Processors) * Pages];
            for (int i = 0; i < counters.Length; i++)
                counters[i] = Read(machine.Memory, (i < Pages ? Shared : Own - (Pages * 4096)) + ((ulong)i * 4096));
            swappedIn = machine.Memory.Counts.SwappedIn;
            machine.Destroy();
            Assert.Equal(0UL, world.Host.Frames.FramesUsed);
            return counters;
        }
        finally
        {
            foreach (Vcpu processor in machine.Processors)
                processor.Dispose();
            foreach (Mmu<Unobserved> mmu in mmus)
                mmu.Dispose();
        }
    }

    private static bool HasEnded(VirtualMachine machine, Vcpu processor, ulong quantum)
    {
        ulong end = processor.Counters.Instructions + quantum;
        while (true)
        {
            MachineStop stop = machine.Run(processor, end);
            if (stop.Memory != PopulateResult.Swapped)
            {
                Assert.True(stop.Exit.Reason is VmExitReason.Halt or VmExitReason.InstructionLimit, $"{stop.Exit.Reason}: {stop.Exit.Detail}");
                return stop.Exit.Reason == VmExitReason.Halt;
            }

            Assert.Equal(PopulateResult.Mapped, machine.Memory.BringIn(stop.Exit.GuestPhysical));
        }
    }

    private static void Evict(VirtualMachine machine, Random random)
    {
        List<GuestFrameNumber> victims = [];
        for (int i = random.Next(40); i > 0; i--)
            victims.Add(new GuestFrameNumber((ulong)random.Next((int)(MemoryBytes >> 12))));
        machine.Memory.Evict([.. victims.Distinct()]);
        machine.Memory.Settle();
    }

    private static ulong Read(GuestMemoryManager memory, ulong address)
    {
        Assert.Equal(PopulateResult.Mapped, memory.BringIn(new GuestPhysicalAddress(address)));
        byte[] bytes = new byte[sizeof(ulong)];
        memory.Read(new GuestPhysicalAddress(address), bytes);
        return BitConverter.ToUInt64(bytes);
    }

    private static byte[] Program()
    {
        var code = new Assembler(64);
        Label again = code.CreateLabel();
        code.Label(ref again);
        // xorshift64
        code.mov(rdx, rax);
        code.shl(rdx, 13);
        code.xor(rax, rdx);
        code.mov(rdx, rax);
        code.shr(rdx, 7);
        code.xor(rax, rdx);
        code.mov(rdx, rax);
        code.shl(rdx, 17);
        code.xor(rax, rdx);
        code.mov(rdx, rax);
        code.and(edx, Pages - 1);
        code.shl(rdx, 12);
        code.mov(ebx, 1);
        code.@lock.xadd(__[rdx + (int)Shared], rbx);
        code.inc(__qword_ptr[rsi + rdx]);
        code.dec(rcx);
        code.jnz(again);
        code.hlt();
        using var stream = new MemoryStream();
        code.Assemble(new StreamCodeWriter(stream), Code);
        return stream.ToArray();
    }
}
