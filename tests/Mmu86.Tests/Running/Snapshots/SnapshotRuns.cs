using Mmu86.Cpu;
using Mmu86.Lab;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;

namespace Mmu86.Tests.Running.Snapshots;

/// <summary>Runs that are cut: the machine is saved, thrown away and goes on as another.</summary>
internal static class SnapshotRuns
{
    /// <summary>Runs to the end, as another machine from each cut on.</summary>
    /// <param name="options">What to run.</param>
    /// <param name="cuts">Retired instructions, ascending. Those behind the guest's end cut nothing.</param>
    /// <param name="move">Makes the machine that goes on, writing to the same output, and disposes the old one; or does something to it.</param>
    public static RunTrace Run(RunOptions options, IEnumerable<ulong> cuts, Func<GuestMachine, GuestOutput, GuestMachine> move)
    {
        var output = new MemoryStream();
        var streams = new GuestOutput(output, output, Stream.Null);
        GuestMachine machine = GuestMachine.Build(options, streams, null);
        try
        {
            var reader = new RunCountsReader(options.Machine, options.Paging, options.Fidelity);
            RunCounts? begin = null;
            RunCounts? measured = null;
            ExitReport? exit = null;
            foreach (ulong cut in (IEnumerable<ulong>)[.. cuts, ulong.MaxValue])
            {
                exit = machine.Run(cut, marker =>
                {
                    if (marker == Markers.Begin)
                        begin = Count();
                    else if (begin is not null)
                        measured = Count().Since(begin);
                });
                if (exit is not null)
                    break;
                machine = move(machine, streams);
            }

            return new RunTrace(
                System.Text.Encoding.ASCII.GetString(output.ToArray()),
                $"{exit!.Kind} {exit.Status} {exit.Detail}",
                SmallRuns.Text(Count()),
                measured is null ? "" : SmallRuns.Text(measured));

            RunCounts Count() => reader.Read(machine.Vcpu.Counters, machine.Vcpu.Statistics, machine.Timing?.Statistics);
        }
        finally
        {
            machine.Dispose();
        }
    }
}
