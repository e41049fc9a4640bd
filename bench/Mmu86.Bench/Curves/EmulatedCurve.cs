using System.Text;
using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.X86;

namespace Mmu86.Bench.Curves;

/// <summary>Cycles a step of a guest on a machine, in the fidelity <c>cycles</c>. The same in every run.</summary>
internal static class EmulatedCurve
{
    private const int LeastSteps = 20_000, Rounds = 8;
    private const ulong OtherMemory = 64UL << 20;

    /// <summary>Cycles a step of <c>line-chase</c>.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="pages">How many pages.</param>
    /// <param name="page">Their size.</param>
    /// <param name="paging">Nested: above 4 KiB pages of the host.</param>
    public static double Chase(MachineDescription machine, int pages, PageSize page, PagingMode paging)
    {
        int steps = Math.Max(LeastSteps, Rounds * pages);
        return Cycles(machine, "line-chase", [$"{pages}", $"{steps}"], page, paging, (ulong)pages * page.Bytes()) / (double)steps;
    }

    /// <summary>Cycles a jump of <c>jump-chain</c>, in pages of 4 KiB.</summary>
    public static double Chain(MachineDescription machine, int pages, int stride, PagingMode paging)
    {
        int rounds = Math.Max(Rounds, LeastSteps / pages);
        ulong bytes = (ulong)pages * (ulong)stride * PageSize.Size4K.Bytes();
        return Cycles(machine, "jump-chain", [$"{pages}", $"{stride}", $"{rounds}"], PageSize.Size4K, paging, bytes) / (double)((long)pages * rounds);
    }

    private static long Cycles(MachineDescription machine, string name, string[] arguments, PageSize page, PagingMode paging, ulong dataBytes)
    {
        GuestProgram guest = GuestCatalogue.Find(name)!;
        var build = new GuestBuildOptions { Arguments = arguments, GuestPage = RunReportBuilder.NameOf(page) };
        using var standard = new MemoryStream();
        RunReport report = new GuestRunner(
            new RunOptions
            {
                Program = new ProgramImage { Name = name, Bytes = guest.Build(build), Arguments = arguments },
                Machine = machine,
                Paging = paging,
                GuestPage = page,
                HostPage = PageSize.Size4K,
                Fidelity = Fidelity.Cycles,
                MemoryBytes = dataBytes + OtherMemory,
                Seed = 1,
            },
            new GuestOutput(standard, Stream.Null, Stream.Null)).Run(CancellationToken.None);
        string output = Encoding.ASCII.GetString(standard.ToArray());
        return report.Exit is { Kind: ExitKind.Exited, Status: 0 } && output == guest.ExpectedOutput(build)
            ? report.Measured!.Cycles!.Value
            : throw new MeasurementException($"{name} {string.Join(' ', arguments)} on {machine.Name} ended as {report.Exit} and printed '{output}'.");
    }
}
