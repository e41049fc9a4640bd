namespace Mmu86.Lab.Sweeps.Engine;

/// <summary>Makes the progress of a sweep of the progress of its runs. After the first pass it is known how long the others are.</summary>
internal sealed class SweepProgressRelay(IProgress<SweepProgress> target, RunOptions run) : IProgress<ulong>
{
    private int _pass;
    private int _passes;
    private ulong _last;

    // Written by another thread at most once; 0 while nobody knows.
    private ulong _total = run.MaxInstructions ?? 0;

    /// <summary>A pass begins.</summary>
    public void Begin(int pass, int passes)
    {
        if (_pass != 0)
            Volatile.Write(ref _total, _last);
        _pass = pass;
        _passes = passes;
    }

    /// <summary>Somebody found out how many instructions a pass has.</summary>
    public void Expect(ulong instructions) => Interlocked.CompareExchange(ref _total, instructions, 0);

    /// <inheritdoc/>
    public void Report(ulong value)
    {
        _last = value;
        ulong total = Volatile.Read(ref _total);
        target.Report(new SweepProgress(_pass, _passes, value, total == 0 ? null : total));
    }
}
