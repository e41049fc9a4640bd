using System.Diagnostics;
using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Lab.Sweeps.Traces;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps.Traces;

/// <summary>Valgrind executes the same static binary on the host: its lackey must tell of the accesses that we count.</summary>
public sealed class ValgrindTests
{
    // Valgrind makes a loop of a REP string instruction: it fetches it once for each element and, unless the flags end it, once more to see that
    // RCX is 0. We count an instruction once. So the fetches are instructions and elements, less one for each that the flags ended.
    private const int StringsEndedByFlags = 4;

    [SkippableTheory]
    [InlineData("hello", 0)]
    [InlineData("sieve 5000", 0)]
    [InlineData("quicksort 500", 0)]
    [InlineData("fibonacci 12", 0)]
    [InlineData("hash-table 300", 0)]
    [InlineData("tree 200", 0)]
    [InlineData("heapsort 200", 0)]
    [InlineData("crc 2000", 0)]
    [InlineData("strings 2", StringsEndedByFlags)]
    public void Lackey_OfAGuest_CountsTheInstructionsLoadsAndStoresOfOurRun(string guest, int endedByFlags)
    {
        TestTiers.Require(guest == "strings 2" ? TestTier.Ci : TestTier.Default);
        string valgrind = TestTiers.RequireProgram("valgrind");
        RunOptions run = SmallRuns.Options(guest, PagingMode.Native, Fidelity.Tlb, PageSize.Size4K);
        RunReport report = new GuestRunner(run, GuestOutput.None).Run(CancellationToken.None);

        (long fetches, long loads, long stores, long modifies) = Count(valgrind, run.Program);

        Assert.Equal(
            (report.Accesses.Loads, report.Accesses.Stores, report.Instructions + report.RepIterations - endedByFlags),
            (loads + modifies, stores + modifies, fetches));
    }

    private static (long Fetches, long Loads, long Stores, long Modifies) Count(string valgrind, ProgramImage program)
    {
        string binary = Path.GetTempFileName();
        string log = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(binary, program.Bytes);
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(binary, UnixFileMode.UserRead | UnixFileMode.UserExecute);
            var start = new ProcessStartInfo(valgrind) { RedirectStandardOutput = true, RedirectStandardError = true };
            foreach (string word in (string[])["--tool=lackey", "--trace-mem=yes", $"--log-file={log}", binary, .. program.Arguments])
                start.ArgumentList.Add(word);
            using Process process = Process.Start(start)!;
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
            long modifies = File.ReadLines(log).LongCount(line => line.StartsWith(" M", StringComparison.Ordinal));
            using TraceFile file = TraceFile.Find(log, null, () => throw new UnreachableException());
            Assert.Equal(TraceFormat.Lackey, file.Format);
            using TraceReader reader = TraceReader.Of(file.Format, file.Open());
            List<TraceAccess> accesses = Traces.Read(reader);
            return (Of(AccessKind.Fetch), Of(AccessKind.Read), Of(AccessKind.Write) - modifies, modifies);

            long Of(AccessKind kind) => accesses.LongCount(access => access.Kind == kind);
        }
        finally
        {
            File.Delete(binary);
            File.Delete(log);
        }
    }
}
