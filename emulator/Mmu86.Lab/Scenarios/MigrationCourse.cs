using System.IO.Pipes;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Migration;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Lab.Running;
using Mmu86.Memory;

namespace Mmu86.Lab.Scenarios;

/// <summary>One migration of a scenario, from barrier to barrier: a pipe whose one end sends while the other receives.</summary>
internal sealed class MigrationCourse : IDisposable
{
    private readonly ScenarioMigration _migration;
    private readonly ScheduledMachine _machine;
    private readonly ITimedPageStore? _store;
    private readonly VirtualHost _destination;
    private readonly Func<VirtualHost, ScenarioGuest> _make;

    private AnonymousPipeServerStream? _out;
    private AnonymousPipeClientStream? _in;
    private MigrationSender? _sender;
    private MigrationReceiver? _receiver;
    private ScenarioGuest? _guest;
    private ulong _arrivesAt;
    private bool _mayStop;
    private string? _failure;

    /// <summary>Makes one that has not begun.</summary>
    /// <param name="migration">What moves, and how.</param>
    /// <param name="machine">The machine as its scheduler has it.</param>
    /// <param name="store">Where its swapped pages are; null for nowhere.</param>
    /// <param name="destination">The other host.</param>
    /// <param name="make">Makes an equal machine there.</param>
    public MigrationCourse(ScenarioMigration migration, ScheduledMachine machine, ITimedPageStore? store, VirtualHost destination, Func<VirtualHost, ScenarioGuest> make)
    {
        _migration = migration;
        _machine = machine;
        _store = store;
        _destination = destination;
        _make = make;
    }

    private ulong? _began;
    private ulong? _totalTime;
    private ulong? _downtime;

    private bool IsOver => _failure is not null || _totalTime is not null;

    /// <summary>The machine that moves.</summary>
    public string Machine => _machine.Name;

    /// <summary>Whether it has begun.</summary>
    public bool HasBegun => _began is not null;

    /// <summary>Does what is due at a barrier.</summary>
    public void Step(HostScheduler scheduler)
    {
        if (IsOver || scheduler.Now < _migration.AtNanoseconds || _machine.Guest is not ScenarioGuest source || scheduler.Now < _arrivesAt)
            return;
        try
        {
            if (_store is not null)
                _store.Now = Math.Max(_store.Now, scheduler.Now);
            if (_sender is null)
                Begin(scheduler.Now, source);
            else if (_mayStop || (_mayStop = _sender.EndRound()))
                Finish(scheduler);
            else
                Arrive(scheduler.Now, Exchange(_sender.Continue, _receiver!.ReceiveRound));
        }
        catch (MigrationException exception)
        {
            _failure = exception.Message;
            _sender?.Abandon();
            Dispose();
        }
    }

    /// <summary>What became of it. The run is over.</summary>
    public VmsMigration Report()
    {
        IReadOnlyList<MigrationRound> rounds = _sender?.Rounds ?? [];
        return new VmsMigration
        {
            Machine = _machine.Name,
            Outcome = _totalTime is not null ? "completed" : _failure is not null ? "failed" : _began is null ? "neverBegun" : "machineEnded",
            Detail = _failure,
            Began = _began,
            TotalTime = _totalTime,
            Downtime = _downtime,
            Bytes = _sender?.Bytes ?? 0,
            Pages = rounds.Aggregate(0UL, (sum, round) => sum + round.Pages),
            ZeroPages = rounds.Aggregate(0UL, (sum, round) => sum + round.ZeroPages),
            Rounds = rounds,
        };
    }

    /// <summary>Lets go of the pipe, and destroys what was made at the destination where nothing moved there.</summary>
    public void Dispose()
    {
        _out?.Dispose();
        _in?.Dispose();
        _guest?.Dispose();
        _guest = null;
    }

    private void Begin(ulong now, ScenarioGuest source)
    {
        _began = now;
        try
        {
            _guest = _make(_destination);
        }
        catch (HostMemoryExhaustedException exception)
        {
            throw new MigrationException("the destination has no frame left to make the machine", exception);
        }

        _out = new AnonymousPipeServerStream(PipeDirection.Out);
        _in = new AnonymousPipeClientStream(PipeDirection.In, _out.ClientSafePipeHandle);
        _sender = new MigrationSender(new MigratedGuest(source.Guest), _out, _migration.Options);
        _receiver = new MigrationReceiver(new MigratedGuest(_guest.Guest), _in);
        Arrive(now, Exchange(_sender.Begin, _receiver.ReceiveRound));
    }

    private void Finish(HostScheduler scheduler)
    {
        if (!_sender!.TryStop())
            return;
        ulong downtime = Exchange(_sender.Finish, _receiver!.ReceiveEnd);
        ulong stopped = Math.Max(_machine.Time, scheduler.Now);
        _downtime = Math.Max(stopped + downtime, _store?.ReadyAt ?? 0) - stopped;
        _totalTime = stopped + _downtime - _began!.Value;
        if (_machine.Guest?.Machine.Disk is { } disk)
            _guest!.Machine.Disk!.TakeOver(disk);
        scheduler.Move(_machine, _guest!, stopped + _downtime.Value);
        _guest = null; // it is the scheduler's
        Dispose();
    }

    // Pages that came from swap were not sent before they were there.
    private void Arrive(ulong now, ulong nanoseconds) => _arrivesAt = Math.Max(now + nanoseconds, _store?.ReadyAt ?? 0);

    // What either end says first is why it failed; the other only sees the pipe break.
    private ulong Exchange(Func<ulong> send, Action receive)
    {
        var sending = Task.Run(() =>
        {
            try
            {
                return send();
            }
            catch
            {
                _out!.Dispose();
                throw;
            }
        });
        MigrationException? refused = null;
        try
        {
            receive();
        }
        catch (MigrationException exception)
        {
            refused = exception;
            _in!.Dispose();
        }

        try
        {
            ulong nanoseconds = sending.GetAwaiter().GetResult();
            return refused is null ? nanoseconds : throw refused;
        }
        catch (MigrationException exception) when (refused is not null && exception.InnerException is IOException or ObjectDisposedException)
        {
            throw refused;
        }
    }
}
