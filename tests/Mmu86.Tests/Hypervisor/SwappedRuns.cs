using Mmu86.Cpu;
using Mmu86.Hypervisor;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Xunit;

namespace Mmu86.Tests.Hypervisor;

/// <summary>Runs machines alone whose pages were taken away.</summary>
internal static class SwappedRuns
{
    /// <summary>Runs a machine, and brings each page in as soon as it is asked for.</summary>
    /// <param name="machine">The machine, on a host that always has a frame.</param>
    /// <param name="limit">Where to stop, in retired instructions.</param>
    /// <returns>How the guest ended; null at the limit.</returns>
    public static ExitReport? RunTo(this GuestMachine machine, ulong limit)
    {
        while (true)
        {
            MachineStop stop = machine.RunOn(limit);
            if (stop.Memory == PopulateResult.Swapped)
                Assert.Equal(PopulateResult.Mapped, machine.Virtual!.Memory.BringIn(stop.Exit.GuestPhysical));
            else if (stop.Exit.Reason == VmExitReason.InstructionLimit)
                return null;
            else if (stop.Exit.Reason != VmExitReason.Marker && machine.Answer(stop) is { } exit)
                return exit;
        }
    }
}
