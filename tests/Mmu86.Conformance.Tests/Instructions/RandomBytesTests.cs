using Mmu86.Cpu;
using Mmu86.TestKit;
using Mmu86.TestKit.HostCpu;
using Xunit;
using Xunit.Abstractions;

namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>Random bytes as programs: whatever they are, the CPU answers with an exit and never with an exception of ours.</summary>
public sealed class RandomBytesTests(ITestOutputHelper output)
{
    private const ulong Seed = 20250612;

    // Enough for blocks to be linked, fused and dropped; after an exit the program goes on until the exits are used up.
    private const ulong InstructionLimit = 2_000;
    private const int ExitLimit = 50;

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Run_RandomBytes_EndsInAnExit(int privilegeLevel)
    {
        int programs = TestTiers.Pick(150, 3_000, 100_000);
        Dictionary<VmExitReason, int> exits = [];
        ulong instructions = 0;
        for (int i = 0; i < programs; i++)
        {
            CaseRandom random = new(Seed + (ulong)privilegeLevel, (ulong)i);
            using RandomBytesMachine machine = new(random, privilegeLevel);
            try
            {
                Run(machine.Vcpu, random, exits);
            }
            catch (Exception error)
            {
                Assert.Fail($"program {i} of seed {Seed} in ring {privilegeLevel}, at {machine.Vcpu.Registers.Rip:x}: {error}");
            }

            Assert.InRange(machine.Vcpu.Counters.Instructions, 0UL, InstructionLimit);
            instructions += machine.Vcpu.Counters.Instructions;
        }

        output.WriteLine($"{programs} programs, {instructions} instructions, {string.Join(", ", exits.Select(exit => $"{exit.Key} {exit.Value}"))}");
        // Programs that die at once test nothing.
        Assert.InRange(instructions, (ulong)programs * 5, (ulong)programs * InstructionLimit);
    }

    private static void Run(Vcpu vcpu, CaseRandom random, Dictionary<VmExitReason, int> exits)
    {
        for (int i = 0; i < ExitLimit; i++)
        {
            VmExit exit = vcpu.Run(InstructionLimit);
            exits[exit.Reason] = exits.GetValueOrDefault(exit.Reason) + 1;
            switch (exit.Reason)
            {
                case VmExitReason.InstructionLimit or VmExitReason.TripleFault or VmExitReason.ExceptionLoop
                    or VmExitReason.EptViolation or VmExitReason.EptMisconfiguration:
                    return;
                case VmExitReason.Exception or VmExitReason.NotSupported:
                    // Over the instruction, wherever it ends.
                    vcpu.Registers.Rip += 1 + (ulong)random.Below(4);
                    break;
                case VmExitReason.Halt or VmExitReason.Syscall or VmExitReason.StopRequested or VmExitReason.Marker:
                    break;
            }
        }
    }
}
