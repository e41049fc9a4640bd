using Mmu86.Cpu;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Scheduling;

/// <summary>A machine of a <see cref="HostScheduler"/>: before it starts, while it runs, and what is left of it.</summary>
public sealed class ScheduledMachine
{
    private const string Section = "schedule";
    private const int MostReasonBytes = 1 << 12;
    private const ulong NanosecondsInSecond = 1_000_000_000;

    // A machine whose clock counts more than instructions is asked what time it is at least so often.
    private const ulong StepOfOtherClocks = 1000;

    private readonly ScheduledMachineOptions _options;

    // Host time minus the guest's: when it started, and how long it has waited since.
    private ulong _offset;

    internal ScheduledMachine(ScheduledMachineOptions options) => _options = options;

    /// <summary>Its name.</summary>
    public string Name => _options.Name;

    /// <summary>The guest; null before it starts and behind its end.</summary>
    public IScheduledGuest? Guest { get; private set; }

    /// <summary>Whether it has ended.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Why it never started; null where it did, or still may.</summary>
    public string? NeverStarted { get; private set; }

    /// <summary>Virtual nanoseconds of the host at which it stands: when it starts, how far it has come, when it ended.</summary>
    public ulong Time { get; private set; }

    /// <summary>What it has of the host.</summary>
    public MachineUsage Usage { get; private set; }

    /// <summary>The most that it had of each at a barrier.</summary>
    public MachineUsage Peak { get; private set; }

    /// <summary>Virtual nanoseconds for which it waited for pages from swap.</summary>
    public ulong SwapWaitNanoseconds { get; private set; }

    /// <summary>What reclaim cost its translations.</summary>
    public ReclaimCoupling Coupling { get; } = new();

    /// <summary>Retired instructions.</summary>
    public ulong Instructions { get; private set; }

    /// <summary>Shares of the host's memory.</summary>
    internal ulong Shares => _options.Shares;

    /// <summary>Frames below which nothing is taken from it.</summary>
    internal ulong LeastFrames => _options.LeastFrames;

    /// <summary>Frames above which it gets none without giving one up.</summary>
    internal ulong MostFrames => _options.MostFrames;

    /// <summary>The part of its resident memory that it uses, in millionths; null where nobody estimates it.</summary>
    public uint? ActivePartsPerMillion => _options.Sampler?.ActivePartsPerMillion;

    internal IWorkingSetEstimate? Sampler => IsElsewhere ? null : _options.Sampler;

    /// <summary>Whether it went to another host, where nobody takes frames from it.</summary>
    public bool IsElsewhere { get; private set; }

    internal ITimedPageStore? Store => IsElsewhere ? null : _options.Store;

    internal VictimChooser Chooser => _options.Chooser;

    /// <summary>Why it does not run on; null where it does.</summary>
    internal MachineStop? Stop { get; private set; }

    /// <summary>Whether it can run on: it has begun, and waits for nothing.</summary>
    internal bool IsRunnable => Guest is not null && Stop is null;

    /// <summary>It asked for a frame at a barrier and there was none.</summary>
    internal bool IsStarved { get; private set; }

    /// <summary>Virtual nanoseconds at which it may start.</summary>
    internal ulong StartTime => _options.StartNanoseconds;

    internal bool CanStart(ulong now) => Guest is null && !HasEnded && _options.StartNanoseconds <= now;

    internal void Start(ulong now)
    {
        Time = now;
        Guest = _options.Create();
        _offset = now - GuestNanoseconds;
        Account();
    }

    /// <summary>Runs up to a moment, or to what only a barrier can answer. On any thread.</summary>
    internal void Run(ulong until)
    {
        IScheduledGuest guest = Guest!;
        while (Time < until && Stop is null)
        {
            ulong ticks = (ulong)((((UInt128)(until - Time) * guest.ClockFrequencyHertz) + NanosecondsInSecond - 1) / NanosecondsInSecond);
            ulong step = guest.HasUniformClock ? ticks : Math.Max(Math.Min(ticks, StepOfOtherClocks), ticks / 8);
            MachineStop stop = guest.Machine.Run(guest.Processor, guest.Processor.Counters.Instructions + step);
            Time = _offset + GuestNanoseconds;
            if (stop.Exit.Reason is not (VmExitReason.InstructionLimit or VmExitReason.Marker))
                Stop = stop;
        }
    }

    /// <summary>It has what it waited for.</summary>
    internal void Resume()
    {
        Stop = null;
        IsStarved = false;
    }

    internal void Starve() => IsStarved = true;

    /// <summary>The guest stands still until a moment; its own clock does too.</summary>
    internal void WaitUntil(ulong moment)
    {
        if (moment <= Time)
            return;
        _offset += moment - Time;
        Time = moment;
    }

    internal void WaitForSwap(ulong moment)
    {
        SwapWaitNanoseconds += moment > Time ? moment - Time : 0;
        WaitUntil(moment);
    }

    /// <summary>It goes on as a guest of another host that has its state. The one before is destroyed.</summary>
    internal void MoveTo(IScheduledGuest guest, ulong moment)
    {
        Guest!.Dispose();
        Guest = guest;
        IsElsewhere = true;
        WaitUntil(moment);
        Account();
    }

    /// <summary>Notes what it has. At a barrier.</summary>
    internal void Account()
    {
        if (Guest is null)
            return;
        GuestMemoryManager memory = Guest.Machine.Memory;
        Usage = new MachineUsage
        {
            ResidentFrames = memory.ResidentFrames,
            SharedFrames = memory.SharedFrames,
            SwappedFrames = memory.SwappedFrames,
            BalloonedFrames = memory.BalloonedFrames,
            TableFrames = memory.TableFrames,
            ReservedFrames = (ulong)Guest.Machine.Frames.Reserved,
            SwappedIn = memory.Counts.SwappedIn,
            SwappedOut = memory.Counts.Stored,
            PagesPopulated = Guest.Machine.PagesPopulated,
        };
        Peak = MachineUsage.Most(Peak, Usage);
        Instructions = Guest.Processor.Counters.Instructions;
    }

    /// <summary>Destroys the machine. What it did stays known.</summary>
    internal void End()
    {
        Account();
        Coupling.Note(Guest!);
        Guest!.Dispose();
        Guest = null;
        Stop = null;
        IsStarved = false;
        HasEnded = true;
        Usage = Usage with { ResidentFrames = 0, SharedFrames = 0, SwappedFrames = 0, BalloonedFrames = 0, TableFrames = 0, ReservedFrames = 0 };
    }

    internal void EndUnstarted(string reason)
    {
        NeverStarted = reason;
        HasEnded = true;
    }

    /// <summary>Writes the section <c>schedule</c>: how far it is, what it had, and what its host knows of its memory. Between two quanta.</summary>
    /// <exception cref="InvalidOperationException">It is on another host, waits for something, or its store is none that can be saved.</exception>
    internal void Save(StateWriter writer)
    {
        if (IsElsewhere || Stop is not null || IsStarved)
            throw new InvalidOperationException($"{Name} is on another host, or waits for an answer.");
        writer.Begin(Section);
        writer.Write(HasEnded);
        writer.Write(Guest is not null);
        writer.Write(NeverStarted ?? "");
        writer.Write(Time);
        writer.Write(SwapWaitNanoseconds);
        writer.Write(Instructions);
        Usage.Save(writer);
        Peak.Save(writer);
        Coupling.Save(writer);
        if (Guest is { } guest)
        {
            writer.Write(_offset);
            writer.Write(guest.Machine.Vpid);
            writer.Write(guest.Machine.Memory.RootAddress.Value);
            Saved(Store)?.Save(writer);
        }

        // Behind a machine's end nobody asks these, but a report may say what they said last.
        Sampler?.Save(writer);
        if (Guest is not null && Store is not null)
            Chooser.Save(writer);
        writer.End();
    }

    /// <summary>Reads it back into a machine that has not started. One that has a guest is made anew, without memory.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="host">Gives the machine the identity that it had.</param>
    internal void Load(StateReader reader, VirtualHost host)
    {
        reader.Open(Section);
        HasEnded = reader.ReadBoolean("hasEnded");
        bool hasGuest = reader.ReadBoolean("hasGuest");
        if (HasEnded && hasGuest)
            throw reader.Refuse("hasGuest", "is 1, and the machine has ended");
        NeverStarted = reader.ReadText("neverStarted", MostReasonBytes) is { Length: > 0 } reason ? reason : null;
        Time = reader.ReadUInt64("time");
        SwapWaitNanoseconds = reader.ReadUInt64("swapWait");
        Instructions = reader.ReadUInt64("instructions");
        Usage = MachineUsage.Load(reader, "usage");
        Peak = MachineUsage.Load(reader, "peak");
        Coupling.Load(reader);
        if (hasGuest)
        {
            _offset = reader.ReadUInt64("offset");
            ushort owner = reader.ReadUInt16("vpid");
            if (owner == 0)
                throw reader.Refuse("vpid", "is 0, which no machine has");
            var root = new X86.HostPhysicalAddress(reader.ReadUInt64("root"));
            host.LastOwner = (ushort)(owner - 1);
            Guest = _options.Create();
            Guest.Machine.Memory.LetGo(root);
            Saved(Store)?.Load(reader);
        }

        Sampler?.Load(reader);
        if (hasGuest && Store is not null)
            Chooser.Load(reader, Guest!.Machine.Memory);
        reader.Close();
    }

    /// <summary>Whether what was restored of the guest is no earlier than what its host counted and its policy was told.</summary>
    internal bool IsAtItsTime => Instructions <= Guest!.Processor.Counters.Instructions && (Store is null || Chooser.Now <= WorkNanoseconds);

    /// <summary>Throws a machine away that was restored in part, with its host.</summary>
    internal void Forsake()
    {
        Guest?.Machine.Forsake();
        Guest?.Dispose();
        Guest = null;
        HasEnded = true;
    }

    private static ISavedDevice? Saved(ITimedPageStore? store) =>
        store is null ? null : store as ISavedDevice ?? throw new InvalidOperationException("The page store of a machine is none that can be saved.");

    /// <summary>Virtual nanoseconds for which the guest has worked up to the last barrier: an instruction a tick of its clock, and nothing while it waits or is idle.</summary>
    internal ulong WorkNanoseconds => (ulong)((UInt128)Instructions * NanosecondsInSecond / Guest!.ClockFrequencyHertz);

    /// <summary>Virtual nanoseconds of the guest's own clock: it stands still while the guest waits.</summary>
    internal ulong GuestNanoseconds => (ulong)((UInt128)Guest!.Processor.VirtualTime * NanosecondsInSecond / Guest.ClockFrequencyHertz);
}
