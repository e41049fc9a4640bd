using System.Text;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Balloon;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Replacement;
using Mmu86.Hypervisor.Scheduling;
using Mmu86.Lab;
using Mmu86.Lab.Running;
using Mmu86.Lab.Scenarios;
using Mmu86.Memory;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Balloon;

/// <summary>Guests on one host with the audit on, while somebody moves the targets of their balloons.</summary>
internal sealed class BalloonRun
{
    private const ulong SwapNanoseconds = 60_000;

    private readonly StringBuilder _log = new();

    private BalloonRun(int guests)
    {
        Outputs = new string[guests];
        DebugConsoles = new string[guests];
        Exits = new string[guests];
        Counts = new BalloonCounts[guests];
        Memory = new GuestMemoryCounts[guests];
        Peaks = new MachineUsage[guests];
    }

    /// <summary>What each printed.</summary>
    public string[] Outputs { get; }

    /// <summary>What each said about itself.</summary>
    public string[] DebugConsoles { get; }

    /// <summary>How each ended.</summary>
    public string[] Exits { get; }

    /// <summary>What each balloon said that cannot be.</summary>
    public BalloonCounts[] Counts { get; }

    /// <summary>What was done to each memory.</summary>
    public GuestMemoryCounts[] Memory { get; }

    /// <summary>The most that each had.</summary>
    public MachineUsage[] Peaks { get; }

    /// <summary>Everything at every barrier.</summary>
    public string Log => _log.ToString();

    /// <summary>Runs guests to their end.</summary>
    /// <param name="hostBytes">The host.</param>
    /// <param name="threads">Threads.</param>
    /// <param name="guests">What to run.</param>
    /// <param name="policy">Called at every barrier for each guest that runs, with its number and the time in microseconds.</param>
    public static BalloonRun Run(ulong hostBytes, int threads, RunOptions[] guests, Action<BalloonControl, int, ulong> policy)
    {
        var run = new BalloonRun(guests.Length);
        using var host = new VirtualHost(new HostMemory(hostBytes), new VirtualHostOptions { Scrubber = new ZeroingScrubber(), AuditsIsolation = true });
        var scheduler = new HostScheduler(host, new HostSchedulerOptions
        {
            QuantumNanoseconds = HostSchedulerOptions.DefaultQuantumNanoseconds,
            Threads = threads,
            Order = ReclaimOrder.Largest,
            IdleTaxPercent = 0,
        });
        var stores = new List<TimedMemoryStore>();
        for (int i = 0; i < guests.Length; i++)
            run.Add(scheduler, host, i, guests[i], stores);
        while (scheduler.RunQuantum())
        {
            run._log.Append(scheduler.Now).Append(' ').Append(host.Frames.FramesFree);
            for (int i = 0; i < guests.Length; i++)
            {
                ScheduledMachine machine = scheduler.Machines[i];
                run.Peaks[i] = machine.Peak;
                run._log.Append(' ').Append(machine.Time).Append(' ').Append(machine.Instructions).Append(' ').Append(machine.Usage);
                if (machine.Guest is { } guest)
                    policy(guest.Machine.Balloon, i, scheduler.Now / 1000);
            }

            run._log.Append('\n');
        }

        Assert.Equal((0UL, 0), (host.Frames.FramesUsed, stores.Sum(store => store.Pages.Count)));
        return run;
    }

    private void Add(HostScheduler scheduler, VirtualHost host, int index, RunOptions options, List<TimedMemoryStore> stores)
    {
        var store = new TimedMemoryStore(SwapNanoseconds);
        var chooser = new VictimChooser(PageReplacement.Find("clock")!.Create(ReplacementOptions.ForGuest(options.MemoryBytes, 1)), sampler: null);
        var output = new MemoryStream();
        var debug = new MemoryStream();
        stores.Add(store);
        scheduler.Add(new ScheduledMachineOptions
        {
            Name = $"{index}",
            Create = () => new ScenarioGuest(new SharedHost(host, store, chooser), options, new GuestOutput(output, output, debug), guest =>
            {
                Outputs[index] = Encoding.ASCII.GetString(output.ToArray());
                DebugConsoles[index] = Encoding.ASCII.GetString(debug.ToArray());
                Exits[index] = $"{guest.Exit!.Kind} {guest.Exit.Status} {guest.Exit.Detail}";
                Counts[index] = guest.Machine.Balloon.Counts;
                Memory[index] = guest.Machine.Memory.Counts;
            }),
            StartNanoseconds = (ulong)index * 300_000,
            Shares = 1000,
            LeastFrames = 0,
            MostFrames = ulong.MaxValue,
            Store = store,
            Chooser = chooser,
            Sampler = null,
        });
    }
}
