using System.Diagnostics;
using Mmu86.Cpu;
using Mmu86.Hypervisor.Balloon;
using Mmu86.Hypervisor.Frames;
using Mmu86.Hypervisor.Shadow;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <summary>One virtual machine: memory on a host that others share, its virtual CPUs, ports and devices. Made paused.</summary>
/// <remarks>
/// Whoever makes it gives it virtual CPUs that see <see cref="View"/>, <see cref="Ports"/> and <see cref="Mmio"/>, and runs it to an exit that is not the
/// memory's affair. What takes memory away (<see cref="GuestMemoryManager.Evict"/> and its like) happens while it is paused.
/// </remarks>
public sealed class VirtualMachine : IDisposable
{
    private readonly List<Vcpu> _processors = [];

    /// <summary>Makes a machine: its nested tables, nothing else.</summary>
    /// <param name="host">Where its frames come from.</param>
    /// <param name="memory">How much memory it is promised, and by which tables.</param>
    /// <exception cref="HostMemoryExhaustedException">The host has no frame for the root of the tables.</exception>
    public VirtualMachine(VirtualHost host, GuestMemoryOptions memory)
    {
        Vpid = host.NewOwner();
        View = host.Memory.OpenView();
        Frames = new MachineFrames(host.Frames, Vpid);
        try
        {
            Memory = new GuestMemoryManager(View, Frames, memory);
            Balloon = new BalloonControl(Memory);
        }
        catch
        {
            View.Dispose();
            throw;
        }
    }

    /// <summary>The VPID (AMD: ASID) of its virtual CPUs, and the owner of its frames. Not 0.</summary>
    public ushort Vpid { get; }

    /// <summary>The host's RAM as this machine's virtual CPUs see it.</summary>
    public HostMemory View { get; }

    /// <summary>Its frames and its reserve of them.</summary>
    public MachineFrames Frames { get; }

    /// <summary>Its guest-physical memory.</summary>
    public GuestMemoryManager Memory { get; }

    /// <summary>The host's end of its balloon. Not driven where it has no such device.</summary>
    public BalloonControl Balloon { get; }

    /// <summary>Its I/O ports.</summary>
    public PortBus Ports { get; } = new();

    /// <summary>Its physical addresses that are no RAM.</summary>
    public MmioBus Mmio { get; } = new();

    /// <summary>Who keeps shadow tables for it; null where its processors walk nested tables.</summary>
    public ShadowPaging? Shadow { get; set; }

    /// <summary>What is on its disk; null where it has none. Disposed with the machine.</summary>
    public GuestDisk? Disk { get; set; }

    /// <summary>Its virtual CPUs.</summary>
    public IReadOnlyList<Vcpu> Processors => _processors;

    /// <summary>Where it is in its life.</summary>
    public MachineState State { get; private set; }

    /// <summary>EPT violations (nested page faults) that gave the guest a page.</summary>
    public ulong PagesPopulated { get; private set; }

    /// <summary>Gives it a virtual CPU, made on <see cref="View"/>. Its context is set with <see cref="GuestMemoryManager.Root"/> and <see cref="Vpid"/>.</summary>
    public void Attach(Vcpu processor)
    {
        _processors.Add(processor);
        Memory.Attach(processor.Mmu);
    }

    /// <summary>Runs a virtual CPU on. Pages that need nothing but a frame are given to the guest on the way.</summary>
    /// <param name="processor">One of its virtual CPUs.</param>
    /// <param name="instructionLimit">As for <see cref="Vcpu.Run"/>.</param>
    public MachineStop Run(Vcpu processor, ulong instructionLimit)
    {
        if (State != MachineState.Paused)
            throw new UnreachableException($"A machine that is {State} cannot be run.");
        State = MachineState.Running;
        try
        {
            while (true)
            {
                VmExit exit = processor.Run(Shadow?.LimitOf(processor, instructionLimit) ?? instructionLimit);
                if (Shadow is { } shadow)
                {
                    if (shadow.TryHandle(processor, ref exit, instructionLimit, out PopulateResult lacking))
                        continue;
                    return new MachineStop(exit, lacking);
                }

                if (exit.Reason == VmExitReason.PageModificationLogFull)
                {
                    Memory.EmptyLogs();
                    continue;
                }

                if (exit.Reason is not (VmExitReason.EptViolation or VmExitReason.NestedPageFault))
                    return new MachineStop(exit, PopulateResult.Mapped);
                if (Memory.TryLetWrite(exit.GuestPhysical))
                    continue;
                PopulateResult result = Memory.Populate(exit.GuestPhysical);
                if (result == PopulateResult.SharedWrite && !IsWrite(exit))
                    throw new UnreachableException($"A shared page at {exit.GuestPhysical} refused what is no write.");
                if (result != PopulateResult.Mapped)
                    return new MachineStop(exit, result);
                PagesPopulated++;
            }
        }
        finally
        {
            State = MachineState.Paused;
        }
    }

    /// <summary>What it had counted when it was saved.</summary>
    /// <param name="pagesPopulated">See <see cref="PagesPopulated"/>.</param>
    public void Restored(ulong pagesPopulated) => PagesPopulated = pagesPopulated;

    /// <summary>Gives every frame back to the host. Before its virtual CPUs are disposed; it cannot run again.</summary>
    /// <exception cref="UnreachableException">It runs, was destroyed already, or a frame is left that nothing accounts for.</exception>
    public void Destroy()
    {
        if (State != MachineState.Paused)
            throw new UnreachableException($"A machine that is {State} cannot be destroyed.");
        Frames.Open();
        Shadow?.Destroy();
        Memory.Destroy();
        State = MachineState.Destroyed;
    }

    /// <summary>Its host is thrown away as it is, halfway to a restored state: nothing can be given back, and it cannot run.</summary>
    internal void Forsake() => State = MachineState.Destroyed;

    // Of a guest's tables too: with accessed and dirty flags in nested tables a walk counts as a write to each of the guest's.
    private static bool IsWrite(in VmExit exit) =>
        (exit.Qualification & EptViolationQualification.Write) != 0 || (exit.NestedErrorCode & NestedPageFaultErrorCode.Write) != 0;

    /// <summary>Lets go of the view and of its disk. The frames of a machine that was not destroyed are the host's loss.</summary>
    public void Dispose()
    {
        Shadow?.Dispose();
        Disk?.Dispose();
        View.Dispose();
    }
}
