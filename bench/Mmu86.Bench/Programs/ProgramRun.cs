using System.Text;
using Mmu86.Bench.Reporting;
using Mmu86.Cpu;
using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.X86;

namespace Mmu86.Bench.Programs;

/// <summary>One run of a kernel: what its measured part took.</summary>
/// <param name="Instructions">Retired between the markers; a REP string instruction is one.</param>
/// <param name="RepIterations">Elements of REP string instructions between the markers.</param>
/// <param name="Seconds">CPU time of the thread between the markers.</param>
internal readonly record struct ProgramRun(ulong Instructions, ulong RepIterations, double Seconds)
{
    /// <summary>Runs a kernel on the default machine.</summary>
    /// <exception cref="MeasurementException">The guest did not end well, or printed something else than it should.</exception>
    public static ProgramRun Measure(Kernel kernel, string[] arguments, ProgramMode mode)
    {
        var build = new GuestBuildOptions { Arguments = arguments };
        using var standard = new MemoryStream();
        using GuestMachine machine = GuestMachine.Build(
            new RunOptions
            {
                Program = new ProgramImage { Name = kernel.Name, Bytes = kernel.Guest.Build(build), Arguments = arguments },
                Machine = MachineCatalogue.Preset(MachineCatalogue.DefaultName),
                Paging = mode.Paging,
                GuestPage = PageSize.Size4K,
                HostPage = PageSize.Size4K,
                Fidelity = mode.Fidelity,
                MemoryBytes = KernelCatalogue.MemoryBytes,
                Seed = 1,
            },
            new GuestOutput(standard, Stream.Null, Stream.Null),
            observer: null);

        ProgramRun begin = default, end = default;
        ExitReport? exit = machine.Run(ulong.MaxValue, marker =>
        {
            if (marker == Markers.Begin)
                begin = Now(machine);
            else
                end = Now(machine);
        });
        string output = Encoding.ASCII.GetString(standard.ToArray());
        if (exit is not { Kind: ExitKind.Exited, Status: 0 } || output != kernel.Guest.ExpectedOutput(build))
            throw new MeasurementException($"{kernel.Name} in {mode.Name} ended as {exit} and printed '{output}'.");
        return new ProgramRun(end.Instructions - begin.Instructions, end.RepIterations - begin.RepIterations, end.Seconds - begin.Seconds);
    }

    private static ProgramRun Now(GuestMachine machine) =>
        new(machine.Vcpu.Counters.Instructions, machine.Vcpu.Counters.RepIterations, ThreadClock.Seconds);
}
