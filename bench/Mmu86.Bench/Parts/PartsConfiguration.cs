using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Mmu86.Bench.Reporting;
using Perfolizer.Horology;

namespace Mmu86.Bench.Parts;

/// <summary>How parts are measured: in this process, so that nothing needs to be built again, and by the CPU time of the thread.</summary>
internal sealed class PartsConfiguration : ManualConfig
{
    private const int IterationMilliseconds = 200;

    /// <summary>For measurements.</summary>
    /// <param name="log">Where BenchmarkDotNet tells what it does.</param>
    public static PartsConfiguration Thorough(TextWriter log) => new(log, warmups: 5, iterations: 15);

    /// <summary>For trying out whether everything works.</summary>
    public static PartsConfiguration Quick(TextWriter log) => new(log, warmups: 1, iterations: 3);

    private PartsConfiguration(TextWriter log, int warmups, int iterations)
    {
        AddJob(Job.Default
            .WithToolchain(InProcessEmitToolchain.Instance)
            .WithClock(ThreadClock.Instance)
            .WithIterationTime(TimeInterval.FromMilliseconds(IterationMilliseconds))
            .WithWarmupCount(warmups)
            .WithIterationCount(iterations));
        AddLogger(new WriterLogger(log));
        AddColumnProvider(DefaultColumnProviders.Instance);
        AddDiagnoser(MemoryDiagnoser.Default);
        WithOptions(ConfigOptions.DisableLogFile);
    }
}
