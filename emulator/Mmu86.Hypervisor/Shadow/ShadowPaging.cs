using Mmu86.Cpu;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Shadow;

/// <summary>Paging without a second dimension: the processor walks tables that lead from linear to host-physical addresses, and the hypervisor keeps them in step with the guest's.</summary>
/// <remarks>
/// The guest's tables are walked by an MMU without caches, through the tables of <see cref="GuestMemoryManager"/>, which no processor ever sees: so
/// accessed and dirty flags, faults and error codes are exactly what a processor gives. docs/hypervisor/shadow-paging.md.
/// </remarks>
public sealed partial class ShadowPaging : IMappingKeeper, IDisposable
{
    private readonly GuestMemoryManager _memory;
    private readonly int _physicalAddressBits;
    private readonly PageSize _largestPage;
    private readonly ushort _vpid;
    private readonly LastWalk _last = new();
    private readonly Mmu<Observed> _guest;
    private readonly ShadowTables _tables;

    // On shadow tables; null before.
    private Vcpu? _processor;

    // Pages that the next instruction may write to and no other: CR0.WP=0.
    private readonly List<LinearAddress> _windows = [];

    /// <summary>Makes shadow paging for a machine.</summary>
    /// <param name="machine">The machine; its nested tables are EPT.</param>
    /// <param name="options">How much room there is, and the processor.</param>
    public ShadowPaging(VirtualMachine machine, ShadowOptions options)
    {
        _memory = machine.Memory;
        _vpid = machine.Vpid;
        _physicalAddressBits = options.Processor.PhysicalAddressBits;
        _largestPage = options.Processor.HasPage1G ? PageSize.Size1G : PageSize.Size2M;
        _guest = new Mmu<Observed>(machine.View, options.Processor, new Observed(_last));
        _tables = new ShadowTables(machine.View, machine.Frames, _memory, Counts, options.MostTables);
        _memory.Attach(this);
    }

    /// <summary>What was done so far.</summary>
    public ShadowCounts Counts { get; } = new();

    /// <summary>Frames that shadow tables take now.</summary>
    public int TableFrames => _tables.Count;

    /// <summary>The most frames that they took.</summary>
    public int MostTableFrames => _tables.Peak;

    /// <summary>Puts a virtual CPU on shadow tables, before it runs and whenever its registers were changed from outside.</summary>
    /// <param name="processor">Made with <see cref="VcpuConfiguration.ShadowsPaging"/>; its registers are set.</param>
    /// <exception cref="HostMemoryExhaustedException">There is no frame for a table.</exception>
    /// <exception cref="NotSupportedException">It is in a mode of paging for which there are no shadow tables.</exception>
    public void Attach(Vcpu processor)
    {
        _processor = processor;
        if (!ShadowKey.Has(ContextOf(processor).Mode))
            throw new NotSupportedException(Refusal(ContextOf(processor).Mode));
        DemandAll();
        if (!TryReload(processor))
            throw new HostMemoryExhaustedException();
    }

    /// <summary>Where to stop a run that must see single instructions.</summary>
    /// <param name="processor">The virtual CPU.</param>
    /// <param name="instructionLimit">Where it is to stop otherwise.</param>
    public ulong LimitOf(Vcpu processor, ulong instructionLimit) =>
        _windows.Count == 0 ? instructionLimit : Math.Min(instructionLimit, processor.Counters.Instructions + 1);

    /// <summary>Answers an exit.</summary>
    /// <param name="processor">Whose.</param>
    /// <param name="exit">The exit; where the result is false, the one that ends the run.</param>
    /// <param name="instructionLimit">Where the run is to stop.</param>
    /// <param name="memory">What a page lacks, where the host has no frame for it.</param>
    /// <returns>Whether the guest runs on.</returns>
    public bool TryHandle(Vcpu processor, ref VmExit exit, ulong instructionLimit, out PopulateResult memory)
    {
        memory = PopulateResult.Mapped;
        bool isPageFault = exit.Reason == VmExitReason.Exception && exit.Vector == ExceptionVector.PageFault;
        bool wasStep = _windows.Count != 0 && !isPageFault;
        if (wasStep)
            CloseWindows(processor);
        bool runsOn = isPageFault ? TryResolve(processor, ref exit, out memory) : TryHandleOther(processor, ref exit, instructionLimit, wasStep, out memory);
        Flush(processor);
        return runsOn;
    }

    /// <summary>The guest's tables as the guest believes them to be walked now. It leaves no trace in shadow tables.</summary>
    public IMmu GuestTables(Vcpu processor)
    {
        PagingContext context = ContextOf(processor);
        if (_guest.Context != context)
            _guest.SetContext(context);
        return _guest;
    }

    /// <summary>Drops what is known of a page: someone changed the guest's tables for it who is not the guest.</summary>
    public void Invalidate(Vcpu processor, LinearAddress address)
    {
        DropPage(processor, address);
        DemandForPage(processor);
        Flush(processor);
    }

    /// <summary>Drops everything that is known of the address space in force, likewise.</summary>
    public void InvalidateAll(Vcpu processor)
    {
        _tables.Clear();
        Flush(processor);
    }

    /// <inheritdoc/>
    void IMappingKeeper.ForgetMappings()
    {
        _tables.ClearAll();
        if (_processor is { } processor)
            Flush(processor);
    }

    /// <summary>Gives every frame back. The machine's virtual CPUs do not run again.</summary>
    public void Destroy() => _tables.Destroy();

    /// <inheritdoc/>
    public void Dispose() => _guest.Dispose();

    private static string Refusal(GuestPagingMode mode) =>
        $"shadow tables for {(mode == GuestPagingMode.Pae ? "PAE" : "32-bit")} paging (there are some for 4-level and 5-level paging, and for none)";

    // CR0.CD is the processor's affair: it acts at once, whatever the types of entries are.
    private PagingContext ContextOf(Vcpu processor)
    {
        PagingContext context = processor.GuestContext(_memory.Root, _vpid, null);
        return context with { Cr0 = context.Cr0 & ~Cr0.CacheDisable };
    }

    private bool TryHandleOther(Vcpu processor, ref VmExit exit, ulong instructionLimit, bool wasStep, out PopulateResult memory)
    {
        memory = PopulateResult.Mapped;
        switch (exit.Reason)
        {
            case VmExitReason.ControlRegisterAccess when !exit.ControlRegister.IsWrite:
                Counts.ControlRegisterReads++;
                return true;
            case VmExitReason.ControlRegisterAccess:
                Counts.ControlRegisterWrites++;
                if (exit.ControlRegister.Register != 3)
                    DemandAll();
                else if (!exit.ControlRegister.KeepsTranslations)
                    _tables.Demands.Add(ContextOf(processor).Pcid);
                return TryFollow(processor, ref exit, out memory);
            case VmExitReason.WriteMsr:
                Counts.MsrWrites++;
                DemandAll();
                return TryFollow(processor, ref exit, out memory);
            case VmExitReason.Invlpg:
                Counts.Invalidations++;
                Invalidate(processor, exit.Linear);
                return true;
            case VmExitReason.Invpcid:
                Counts.Invalidations++;
                Obey(processor, exit);
                return true;
            case VmExitReason.Invlpgb:
                Counts.Invalidations++;
                DemandAll();
                _tables.Obey();
                return true;
            case VmExitReason.InstructionLimit when wasStep:
                Counts.SingleSteps++;
                return processor.Counters.Instructions < instructionLimit;
            default:
                return false;
        }
    }

    // INVPCID. What concerns other tables than those in force is done when they are loaded.
    private void Obey(Vcpu processor, in VmExit exit)
    {
        switch (exit.InvpcidType)
        {
            case 0:
                if (exit.Pcid == _tables.Current!.Key.Pcid)
                    DropPage(processor, exit.Linear);
                _tables.Demands.Add(exit.Pcid);
                break;
            case 1:
                _tables.Demands.Add(exit.Pcid);
                _tables.Obey();
                break;
            case 2:
                DemandAll();
                _tables.Obey();
                break;
            default:
                _tables.Demands.AddForAll();
                _tables.Obey();
                break;
        }
    }

    // Global translations may be of other tables than those in force, which may say something else of the page.
    private void DemandAll()
    {
        _tables.Demands.AddForAll();
        _tables.IsFlushOfAllDue = true;
    }

    // A page was dropped from the tables in force. Others of the same PCID may have it too, and where it is global those of all.
    private void DemandForPage(Vcpu processor)
    {
        if ((ContextOf(processor).Cr4 & Cr4.PageGlobalEnable) != 0)
            _tables.Demands.AddForAll();
        else
            _tables.Demands.Add(_tables.Current!.Key.Pcid);
    }

    private void DropPage(Vcpu processor, LinearAddress address)
    {
        _tables.Drop(address.Value);
        processor.Mmu.InvalidatePage(address);
    }

    private bool TryFollow(Vcpu processor, ref VmExit exit, out PopulateResult memory)
    {
        memory = PopulateResult.Mapped;
        GuestPagingMode mode = ContextOf(processor).Mode;
        if (!ShadowKey.Has(mode))
        {
            exit = new VmExit { Reason = VmExitReason.NotSupported, Linear = new LinearAddress(processor.Registers.Rip), Detail = Refusal(mode) };
            return false;
        }

        if (TryReload(processor))
            return true;
        memory = PopulateResult.NoFrame;
        return false;
    }

    private bool TryReload(Vcpu processor)
    {
        if (!_tables.TryEnter(ShadowKey.Of(ContextOf(processor), _physicalAddressBits)))
            return false;
        if (!processor.HasPcids)
            _tables.Current!.IsFlushDue = true;
        processor.EnterShadow(RootFor(processor));
        Flush(processor);
        return true;
    }

    private ShadowRoot RootFor(Vcpu processor) =>
        new(_tables.Current!.Top!.Host, processor.HasPcids ? _tables.Current.Pcid : null, ShadowMemoryTypes.Pat, IgnoresWriteDisable: _windows.Count != 0);

    private void OpenWindow(Vcpu processor, LinearAddress address)
    {
        _windows.Add(address);
        processor.EnterShadow(RootFor(processor));
    }

    private void CloseWindows(Vcpu processor)
    {
        foreach (LinearAddress address in _windows)
            DropPage(processor, address);
        _windows.Clear();
        processor.EnterShadow(RootFor(processor));
    }

    // Before the guest runs on, nothing may be remembered that was taken away. Without PCIDs of the processor all tables have the same.
    private void Flush(Vcpu processor)
    {
        if (_tables.IsFlushOfAllDue)
        {
            processor.Mmu.InvalidateAll();
            _tables.NoteFlushOfAll();
        }
        else if (_tables.Current is { IsFlushDue: true } space)
        {
            processor.Mmu.InvalidatePcid(processor.HasPcids ? space.Pcid : (ushort)0);
            space.IsFlushDue = false;
        }
    }
}
