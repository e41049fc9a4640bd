using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Mmu86.Bench.Reporting;

namespace Mmu86.Bench.Parts;

/// <summary>How parts are measured: in this process, so that nothing needs to be built again, and by the CPU time of the thread.</summary>
internal sealed class PartsConfiguration : ManualConfig
{
    public PartsConfiguration()
    {
        AddJob(Job.Default
            .WithToolchain(InProcessEmitToolchain.Instance)
            .WithClock(ThreadClock.Instance)
            .WithWarmupCount(4)
            .WithIterationCount(15));
        AddLogger(ConsoleLogger.Default);
        AddExporter(MarkdownExporter.GitHub);
        AddColumnProvider(DefaultColumnProviders.Instance);
        WithOptions(ConfigOptions.DisableLogFile);
    }
}
