using BenchmarkDotNet.Loggers;

namespace Mmu86.Bench.Parts;

/// <summary>Lets BenchmarkDotNet write to a writer.</summary>
internal sealed class WriterLogger(TextWriter writer) : ILogger
{
    public string Id => nameof(WriterLogger);

    public int Priority => 0;

    public void Write(LogKind logKind, string text) => writer.Write(text);

    public void WriteLine() => writer.WriteLine();

    public void WriteLine(LogKind logKind, string text) => writer.WriteLine(text);

    public void Flush() => writer.Flush();
}
