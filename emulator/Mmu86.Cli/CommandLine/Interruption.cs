using System.Runtime.InteropServices;

namespace Mmu86.Cli.CommandLine;

/// <summary>SIGINT, SIGTERM and SIGHUP end a run cleanly, with a report of the part that ran; a second one ends the process.</summary>
internal sealed class Interruption : IDisposable
{
    // As shells count: 128 and the number of the signal.
    private const int HangUpStatus = 129;
    private const int InterruptStatus = 130;
    private const int TerminateStatus = 143;

    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration _interrupt;
    private readonly PosixSignalRegistration _terminate;
    private readonly PosixSignalRegistration _hangUp;

    /// <summary>Takes over the signals.</summary>
    public Interruption()
    {
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Take(context, InterruptStatus));
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Take(context, TerminateStatus));
        _hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => Take(context, HangUpStatus));
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>The exit status of an interrupted run.</summary>
    public int Status { get; private set; } = InterruptStatus;

    /// <inheritdoc/>
    public void Dispose()
    {
        _interrupt.Dispose();
        _terminate.Dispose();
        _hangUp.Dispose();
        _source.Dispose();
    }

    private void Take(PosixSignalContext context, int status)
    {
        if (_source.IsCancellationRequested)
            return;
        context.Cancel = true;
        Status = status;
        _source.Cancel();
    }
}
