using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Migration;

/// <summary>The end of a pre-copy migration that has the machine. Nothing of it is given up: whoever moves it destroys it when the other end has all.</summary>
/// <remarks>
/// Rounds while the machine runs: first every page that is not zero, then those written since the last. When what is left is little enough, or after the
/// last round, the machine stands still and the rest is sent with its state. Each call is made at a barrier; what it sends is what memory holds then.
/// </remarks>
public sealed class MigrationSender
{
    private readonly IMigratedMachine _machine;
    private readonly MigrationOptions _options;
    private readonly MigrationWriter _writer;
    private readonly List<MigrationRound> _rounds = [];
    private readonly List<GuestFrameNumber> _left = [];
    private MigrationRound? _round;
    private IReadOnlyList<StateSection> _state = [];

    /// <summary>Makes one.</summary>
    /// <param name="machine">What is moved.</param>
    /// <param name="stream">Where its bytes go.</param>
    /// <param name="options">How.</param>
    public MigrationSender(IMigratedMachine machine, Stream stream, MigrationOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfZero(options.BandwidthBytesPerSecond);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MostRounds, 1);
        _machine = machine;
        _options = options;
        _writer = new MigrationWriter(stream);
    }

    /// <summary>The rounds that are over.</summary>
    public IReadOnlyList<MigrationRound> Rounds => _rounds;

    /// <summary>Bytes on the stream so far.</summary>
    public ulong Bytes => _writer.Bytes;

    /// <summary>Sends the first round. The machine runs on meanwhile.</summary>
    /// <returns>Virtual nanoseconds until all of it has arrived.</returns>
    /// <exception cref="MigrationException">The stream is broken, or the host has no frames for the tables that logging needs. The machine is as before.</exception>
    public ulong Begin()
    {
        if (!_machine.Memory.StartDirtyLogging(_options.Method))
            throw new MigrationException("the host of the machine has no frames for the tables that dirty logging needs");
        _machine.Memory.AddPopulated(_left);
        return Guarded(() =>
        {
            ulong before = _writer.Bytes;
            _writer.Hello(_machine.Memory.SizeInBytes);
            return SendRound(before);
        });
    }

    /// <summary>Behind a round: looks at what was written while it was under way.</summary>
    /// <returns>Whether the machine is to stop, for <see cref="Finish"/>; else <see cref="Continue"/> sends another round.</returns>
    public bool EndRound()
    {
        _left.Clear();
        _machine.Memory.CollectDirty(_left);
        _rounds.Add(_round! with { Dirtied = (ulong)_left.Count });
        ulong pageBytes = (ulong)(4096 + sizeof(ulong) + MigrationFormat.Overhead);
        return _rounds.Count >= _options.MostRounds || _options.TransferNanoseconds((ulong)_left.Count * pageBytes) <= _options.DowntimeNanoseconds;
    }

    /// <summary>Sends what was written during the last round. The machine runs on meanwhile.</summary>
    /// <inheritdoc cref="Begin"/>
    public ulong Continue() => Guarded(() => SendRound(_writer.Bytes));

    /// <summary>
    /// The machine stands still: takes down its state and ends the logging of writes. Where the state cannot be taken down (in the middle of a string
    /// instruction) the machine runs on and is logged on.
    /// </summary>
    /// <returns>Whether <see cref="Finish"/> can send the rest; else another barrier may do.</returns>
    /// <exception cref="MigrationException">The host has no frames to go on logging. The machine is as before.</exception>
    public bool TryStop()
    {
        // It may have run on since the round ended.
        HashSet<GuestFrameNumber> known = [.. _left];
        List<GuestFrameNumber> later = [];
        _machine.Memory.CollectDirty(later);
        _left.AddRange(later.Where(known.Add));
        _machine.Memory.StopDirtyLogging();
        try
        {
            _state = [_machine.Memory.SaveCounts(), .. _machine.SaveState()];
            return true;
        }
        catch (InvalidOperationException)
        {
            if (!_machine.Memory.StartDirtyLogging(_options.Method))
                throw new MigrationException("the host of the machine has no frames for the tables that dirty logging needs");
            return false;
        }
    }

    /// <summary>Behind <see cref="TryStop"/>: sends what is left, the balloon and the state. The machine stands still till the other end has it.</summary>
    /// <returns>Virtual nanoseconds until the machine can run at the other end: all of it has arrived, and one way more says so.</returns>
    /// <exception cref="MigrationException">The stream is broken. The machine is as before.</exception>
    public ulong Finish()
    {
        return Guarded(() =>
        {
            ulong before = _writer.Bytes;
            ulong pages = _writer.Pages, zeros = _writer.Zeros;
            SendPages();
            List<GuestFrameNumber> balloon = [];
            _machine.Memory.AddBallooned(balloon);
            _writer.RoundEnd(_rounds.Count + 1);
            _writer.Balloon(balloon);
            foreach (StateSection section in _state)
                _writer.State(section);
            _writer.End();
            ulong nanoseconds = _options.TransferNanoseconds(_writer.Bytes - before) + _options.LatencyNanoseconds;
            _rounds.Add(new MigrationRound
            {
                Pages = _writer.Pages - pages,
                ZeroPages = _writer.Zeros - zeros,
                Bytes = _writer.Bytes - before,
                Nanoseconds = nanoseconds,
                Dirtied = 0,
            });
            return nanoseconds;
        });
    }

    /// <summary>Gives up. The machine runs on as if nothing had been.</summary>
    public void Abandon() => _machine.Memory.StopDirtyLogging();

    private ulong Guarded(Func<ulong> send)
    {
        try
        {
            return send();
        }
        catch
        {
            Abandon();
            throw;
        }
    }

    private ulong SendRound(ulong before)
    {
        ulong pages = _writer.Pages, zeros = _writer.Zeros;
        SendPages();
        _writer.RoundEnd(_rounds.Count + 1);
        _round = new MigrationRound
        {
            Pages = _writer.Pages - pages,
            ZeroPages = _writer.Zeros - zeros,
            Bytes = _writer.Bytes - before,
            Nanoseconds = _options.TransferNanoseconds(_writer.Bytes - before),
            Dirtied = 0,
        };
        return _round.Nanoseconds;
    }

    private void SendPages()
    {
        Span<byte> page = stackalloc byte[4096];
        foreach (GuestFrameNumber frame in _left)
        {
            GuestFrameState state = _machine.Memory.Peek(frame, page, out PageLoad load);
            if (load != PageLoad.Done)
                throw new MigrationException($"the page at {frame.Address} cannot be had from the page store: it is {(load == PageLoad.Corrupt ? "not what was stored" : "unreadable")}");
            if (state != GuestFrameState.Ballooned)
                _writer.Page(frame, page);
        }
    }
}
