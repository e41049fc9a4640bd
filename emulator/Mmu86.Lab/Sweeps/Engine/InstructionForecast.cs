using Mmu86.Lab.Running;

namespace Mmu86.Lab.Sweeps.Engine;

/// <summary>Finds out beside a slow run how many instructions it will have: by a fast run of the same guest, on a thread of its own.</summary>
internal sealed class InstructionForecast : IDisposable
{
    private readonly CancellationTokenSource _cancellation = new();
    private readonly Thread _thread;

    private InstructionForecast(RunOptions run, Action<ulong> found)
    {
        _thread = new Thread(() => Find(run with { Fidelity = Fidelity.Fast }, found)) { IsBackground = true, Name = "forecast", Priority = ThreadPriority.BelowNormal };
        _thread.Start();
    }

    /// <summary>Starts.</summary>
    /// <param name="run">The slow run.</param>
    /// <param name="found">Told the number, where there is one before <see cref="Dispose"/>; on the other thread.</param>
    public static InstructionForecast Start(RunOptions run, Action<ulong> found) => new(run, found);

    /// <inheritdoc/>
    public void Dispose()
    {
        _cancellation.Cancel();
        _thread.Join();
        _cancellation.Dispose();
    }

    private void Find(RunOptions run, Action<ulong> found)
    {
        try
        {
            ulong instructions = (ulong)new GuestRunner(run, GuestOutput.None).Run(_cancellation.Token).Instructions;
            if (!_cancellation.IsCancellationRequested)
                found(instructions);
        }
        catch (Exception)
        {
            // The slow run meets the same and tells it. Without a number there is no time left to show.
        }
    }
}
