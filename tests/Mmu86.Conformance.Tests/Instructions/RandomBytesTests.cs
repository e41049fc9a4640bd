using System.Text.Json;
using Mmu86.Cpu;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.TestKit.HostCpu;
using Xunit;
using Xunit.Abstractions;

namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>Random bytes as programs: whatever they are, the CPU answers with exits, the same however it runs them, and never with an exception of ours.</summary>
[LongTests]
public sealed class RandomBytesTests(ITestOutputHelper output)
{
    // Enough for blocks to be linked, fused and dropped; after an exit the program goes on until the exits are used up.
    private const ulong InstructionLimit = 2_000;
    private const int ExitLimit = 50;

    // Three ways that have nothing in common but what they must arrive at.
    private static readonly WayOfRunning[] Ways =
    [
        WayOfRunning.Straight,
        new WayOfRunning { LooksUpEveryAccess = true, MaximumMicroOps = 1 << 16, InstructionsARun = ulong.MaxValue },
        new WayOfRunning { LooksUpEveryAccess = false, MaximumMicroOps = 1024, InstructionsARun = 7 },
    ];

    [Theory]
    [InlineData(RandomStart.Long0)]
    [InlineData(RandomStart.Long3)]
    [InlineData(RandomStart.Real)]
    [InlineData(RandomStart.Virtual8086)]
    [InlineData(RandomStart.Protected0)]
    [InlineData(RandomStart.Protected3)]
    [InlineData(RandomStart.Narrow0)]
    public void Run_RandomBytes_EndsInTheSameExitsEveryWay(RandomStart start)
    {
        int programs = TestTiers.Pick(20, 1_000, 50_000);
        Dictionary<VmExitReason, int> exits = [];
        ulong instructions = 0;
        for (int i = 0; i < programs; i++)
        {
            string name = $"program {i} of seed {TestData.Seed}, {start}";
            Trace expected = Run(name, start, i, Ways[0]);
            foreach (WayOfRunning way in Ways.AsSpan(1))
                expected.AssertSame(Run(name, start, i, way), $"{name}, {way}");
            foreach (VmExit exit in expected.Exits)
                exits[exit.Reason] = exits.GetValueOrDefault(exit.Reason) + 1;
            instructions += expected.Counts.Instructions;
        }

        output.WriteLine($"{programs} programs, {instructions} instructions, {string.Join(", ", exits.Select(exit => $"{exit.Key} {exit.Value}"))}");
        // Programs that die at once test nothing.
        Assert.InRange(instructions, (ulong)programs * 5, (ulong)programs * InstructionLimit);
    }

    private static Trace Run(string name, RandomStart start, int index, WayOfRunning way)
    {
        CaseRandom random = new(TestData.Seed + (ulong)start, (ulong)index);
        using RandomBytesMachine machine = new(random, start, way);
        List<VmExit> exits = [];
        List<string> states = [];
        try
        {
            while (exits.Count < ExitLimit && Run(machine.Vcpu, way.InstructionsARun) is var exit)
            {
                exits.Add(exit);
                states.Add(Describe(machine));
                if (!TryGoOn(machine.Vcpu, exit, random))
                    break;
            }
        }
        catch (Exception error)
        {
            Assert.Fail($"{name}, {way}, at {machine.Vcpu.Registers.Rip:x}: {error}");
        }

        return new Trace(exits, states, machine.Counts, machine.Statistics, machine.ReadMemory());
    }

    // To the limit or an exit, in as many runs as that takes.
    private static VmExit Run(Vcpu vcpu, ulong instructionsARun)
    {
        while (true)
        {
            ulong left = InstructionLimit - vcpu.Counters.Instructions;
            ulong stop = vcpu.Counters.Instructions + Math.Min(left, instructionsARun);
            VmExit exit = vcpu.Run(stop);
            if (exit.Reason != VmExitReason.InstructionLimit || stop == InstructionLimit)
                return exit;
        }
    }

    private static bool TryGoOn(Vcpu vcpu, in VmExit exit, CaseRandom random)
    {
        switch (exit.Reason)
        {
            case VmExitReason.InstructionLimit or VmExitReason.TripleFault or VmExitReason.ExceptionLoop
                or VmExitReason.EptViolation or VmExitReason.EptMisconfiguration:
                return false;
            case VmExitReason.Exception or VmExitReason.NotSupported:
                // Over the instruction, wherever it ends.
                vcpu.Registers.Rip += 1 + (ulong)random.Below(4);
                return true;
            case VmExitReason.Halt or VmExitReason.Syscall or VmExitReason.StopRequested or VmExitReason.Marker:
                return true;
            default:
                throw new InvalidOperationException($"Unknown exit {exit.Reason}.");
        }
    }

    private static string Describe(RandomBytesMachine machine)
    {
        Mmu86.Cpu.RegisterFile registers = machine.Vcpu.Registers;
        string general = string.Join(' ', Enumerable.Range(0, 16).Select(i => registers[i].ToString("x")));
        return $"RIP {registers.Rip:x} flags {(ulong)registers.Flags:x} CPL {machine.Vcpu.System.Cpl} CR2 {machine.Vcpu.System.Cr2:x} {general} {machine.Counts}";
    }

    private sealed record Trace(List<VmExit> Exits, List<string> States, CountedWork Counts, MmuStatistics Statistics, byte[] Memory)
    {
        public void AssertSame(Trace other, string name)
        {
            for (int i = 0; i < Math.Min(Exits.Count, other.Exits.Count); i++)
            {
                if (Exits[i] != other.Exits[i] || States[i] != other.States[i])
                    Assert.Fail($"{name}, exit {i}:\n{Exits[i]}\n{States[i]}\nbut\n{other.Exits[i]}\n{other.States[i]}");
            }

            Assert.Equal(Exits.Count, other.Exits.Count);
            string expected = JsonSerializer.Serialize(Statistics);
            string actual = JsonSerializer.Serialize(other.Statistics);
            if (expected != actual)
                Assert.Fail($"{name}: MMU statistics\n{expected}\nbut\n{actual}");
            int same = Memory.AsSpan().CommonPrefixLength(other.Memory);
            if (same != Memory.Length)
                Assert.Fail($"{name}: memory differs from {same:x}");
        }
    }
}
