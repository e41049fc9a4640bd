using Mmu86.Cpu;
using Mmu86.Devices;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Shadow;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Personality;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running.Platform;
using Mmu86.Loaders;
using Mmu86.Loaders.Bare;
using Mmu86.Loaders.Elf;
using Mmu86.Loaders.Multiboot;
using Mmu86.Loaders.Processes;
using Mmu86.Loaders.RealMode;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.Timing;
using Mmu86.X86;

namespace Mmu86.Lab.Running;

/// <summary>A machine with a guest in it, ready to run: everything that one run owns.</summary>
public sealed partial class GuestMachine : IProcessMachine, IRunStopper, ITranslationInvalidator, IDisposable
{
    // The tables of EPT in front of the guest's own frames: a leaf table for each 2 MiB, and alignment of large pages.
    private const ulong EptReserveBytes = 16UL << 20;

    // Past this, invalidating page by page costs more than starting anew.
    private const ulong MostPagesInvalidatedSingly = 64;

    private const int MicroOpCapacity = 1 << 20;

    private readonly RunOptions _options;

    // RAM as the CPU sees it.
    private readonly HostMemory _host;

    // What is disposed with the machine: its RAM, or the host of which it is the only machine. Null where the host is shared.
    private readonly IDisposable? _ownHost;
    private readonly VirtualMachine? _virtual;
    private readonly GuestMemoryManager? _guestMemory;
    private readonly ShadowPaging? _shadow;
    private readonly IDisposable _mmuLifetime;
    private readonly PcPlatform? _platform;
    private readonly LinuxPersonality? _personality;
    private readonly GuestOutput _output;

    private GuestMachine(RunOptions options, GuestOutput output, ITranslationObserver? observer, RunRecording? recording, SharedHost? shared)
    {
        _options = options;
        _output = output;
        if (shared is null)
            _ownHost = _host = new HostMemory(HostBytes(options));
        else
            _host = shared.Host.Memory;
        try
        {
            IGuestPhysicalMemory memory;
            if (options.Paging != PagingMode.Native)
            {
                VirtualHost host;
                if (shared is null)
                    _ownHost = host = new VirtualHost(_host, VirtualHostOptions.Standard);
                else
                    host = shared.Host;
                _virtual = new VirtualMachine(host, new GuestMemoryOptions
                {
                    SizeInBytes = options.MemoryBytes,
                    PageSize = options.HostPage,
                    Format = options.Paging == PagingMode.Shadow ? NestedFormat.Ept : options.Machine.Mmu.Nested.Format,
                    TracksAccesses = shared is not null,
                    Store = shared?.Store,
                    Residency = shared?.Residency,
                });
                _host = _virtual.View;
                _guestMemory = _virtual.Memory;
                memory = _guestMemory;
                if (options.Paging == PagingMode.Shadow)
                    _shadow = _virtual.Shadow = new ShadowPaging(_virtual, ShadowOptionsOf(options));
            }
            else
            {
                memory = new NativeGuestMemory(_host);
            }

            GuestKind kind = GuestKind.Recognise(options);
            Personality = kind.Personality;
            Image = Load(kind, memory, options);
            Timing = MakeTiming(options);
            Mmu = recording is null ? MakeMmu(observer, out _mmuLifetime) : MakeRecordingMmu(recording, out _mmuLifetime);
            Ports = _virtual?.Ports ?? new PortBus();
            Mmio = _virtual?.Mmio ?? new MmioBus();
            ICpuidSource cpuid = new MachineCpuid(options.Machine.Cpuid);
            if (Personality == PersonalityKind.Bare)
            {
                VirtualHardware? hardware = _virtual is null ? null : new VirtualHardware(_virtual, options.DiskOrDefault, shared?.DiskFolder ?? Path.GetTempPath());
                _platform = new PcPlatform(Ports, Mmio, options.MemoryBytes, (ulong)options.Machine.Clock.FrequencyHertz, output, this, hardware);
                cpuid = new PlatformCpuid(cpuid);
            }
            else
                _personality = new LinuxPersonality(output.Standard, output.Error, options.Seed);
            Vcpu = new Vcpu(
                new VcpuBus { Memory = _host, Ports = Ports, Mmio = Mmio },
                Mmu,
                new VcpuConfiguration
                {
                    InterceptSyscalls = Personality == PersonalityKind.Linux,
                    InterceptExceptions = Personality == PersonalityKind.Linux,
                    ShadowsPaging = _shadow is not null,
                    Cpuid = cpuid,
                    Clock = MakeClock(),
                    Timing = Timing,
                    MaximumMicroOps = MicroOpCapacity,
                });
            InitialState.Apply(Vcpu, Image, _shadow is null ? _guestMemory?.Root ?? 0 : 0, _virtual?.Vpid ?? 0);
            _virtual?.Attach(Vcpu);
            _shadow?.Attach(Vcpu);
            if (Image is ProcessImage process)
                process.AddressSpace.Attach(this);
            Connect();
        }
        catch
        {
            if (shared is not null)
                _virtual?.Destroy();
            _mmuLifetime?.Dispose();
            _virtual?.Dispose();
            _ownHost?.Dispose();
            throw;
        }
    }

    /// <summary>The virtual CPU.</summary>
    public Vcpu Vcpu { get; }

    /// <summary>The virtual machine, where the guest is in one: with nested paging.</summary>
    public VirtualMachine? Virtual => _virtual;

    /// <summary>Its translation hardware.</summary>
    public IMmu Mmu { get; }

    /// <summary>Who keeps time in the fidelity <c>cycles</c>; null in others.</summary>
    public TimingModel? Timing { get; }

    /// <summary>The guest as it was placed.</summary>
    public GuestImage Image { get; }

    /// <summary>The world it runs in.</summary>
    public PersonalityKind Personality { get; }

    /// <summary>Its I/O ports.</summary>
    public PortBus Ports { get; }

    /// <summary>Its physical addresses that are no RAM.</summary>
    public MmioBus Mmio { get; }

    /// <summary>The last POST code of a bare-metal guest; null while there was none.</summary>
    public byte? LastPostCode => _platform?.Post.LastCode;

    /// <summary>What the disk of a bare guest in a virtual machine was asked; null where there is none.</summary>
    public BlockCounts? DiskCounts => _platform?.DiskCounts;

    /// <summary>System calls that nobody answered; null for bare guests.</summary>
    public IReadOnlyDictionary<string, long>? UnansweredCalls => _personality?.Unanswered;

    /// <inheritdoc/>
    public ProcessAddressSpace AddressSpace => ((ProcessImage)Image).AddressSpace;

    /// <inheritdoc/>
    public ulong VirtualNanoseconds =>
        (ulong)((UInt128)Vcpu.TimeStamp * 1_000_000_000 / (ulong)_options.Machine.Clock.FrequencyHertz);

    /// <inheritdoc/>
    public ulong FsBase
    {
        get => Vcpu.Registers.FsBase;
        set => Vcpu.Registers.FsBase = value;
    }

    /// <inheritdoc/>
    public ulong GsBase
    {
        get => Vcpu.Registers.GsBase;
        set => Vcpu.Registers.GsBase = value;
    }

    /// <summary>Frames of the host that the guest owns, EPT and shadow tables included; null with native paging, where all of the host is the guest's.</summary>
    public ulong? HostFramesUsed => _guestMemory is null ? null : _guestMemory.ResidentFrames + _guestMemory.TableFrames + (ulong)(_shadow?.TableFrames ?? 0);

    /// <summary>Frames that the guest touched first; null with native paging, where nobody watches.</summary>
    public ulong? GuestFramesTouched => _guestMemory?.ResidentFrames;

    /// <summary>Makes a machine and places the guest in it.</summary>
    /// <param name="options">What to run, and on what.</param>
    /// <param name="output">Where the guest's bytes go.</param>
    /// <param name="observer">Sees every translation, at a cost in host time; null for none.</param>
    /// <exception cref="ImageFormatException">The image is broken, or does not fit.</exception>
    /// <exception cref="ImageNotSupportedException">The image is of a kind that Mmu86 does not have yet.</exception>
    /// <exception cref="HostMemoryExhaustedException">The host has too little memory to place the image.</exception>
    public static GuestMachine Build(RunOptions options, GuestOutput output, ITranslationObserver? observer) => new(options, output, observer, recording: null, shared: null);

    /// <summary>Makes a machine beside others on a host. <see cref="RunOptions.HostMemoryBytes"/> does not count then.</summary>
    /// <param name="options">What to run; paging is nested.</param>
    /// <param name="output">Where the guest's bytes go.</param>
    /// <param name="shared">The host. <see cref="Dispose"/> gives back what the machine has of it.</param>
    /// <inheritdoc cref="Build"/>
    public static GuestMachine BuildOn(SharedHost shared, RunOptions options, GuestOutput output) => new(options, output, observer: null, recording: null, shared);

    /// <summary>Makes a machine that writes down what its MMU is asked.</summary>
    /// <inheritdoc cref="Build"/>
    public static GuestMachine BuildRecorded(RunOptions options, GuestOutput output, RunRecording recording) => new(options, output, observer: null, recording, shared: null);

    /// <summary>Tries whether the image can be placed in a machine's memory, in memory that is thrown away.</summary>
    /// <param name="options">What would be run.</param>
    /// <returns>Why not, in a sentence; null where it can.</returns>
    /// <exception cref="ImageNotSupportedException">The image is of a kind that Mmu86 does not have yet.</exception>
    public static string? FindPlacementProblem(RunOptions options)
    {
        try
        {
            using var memory = new HostMemory(options.MemoryBytes);
            _ = Load(GuestKind.Recognise(options), new NativeGuestMemory(memory), options);
            return null;
        }
        catch (ImageFormatException exception)
        {
            return exception.Message;
        }
    }

    /// <summary>The bytes of host memory that a run of these options has.</summary>
    public static ulong HostBytesOf(RunOptions options) => HostBytes(options);

    /// <summary>Writes a moment into the recording, exact: between two instructions. Nothing where the machine records none.</summary>
    public void Mark(StreamMoment moment)
    {
        if (Mmu is not RecordingMmu recorder)
            return;
        MmuStatistics mmu = Vcpu.Statistics;
        recorder.Mark(new StreamMark
        {
            Moment = moment,
            Instructions = Vcpu.Counters.Instructions,
            DataLookups = Vcpu.Counters.DataLookups,
            FetchLookups = Vcpu.Counters.FetchLookups,
            DataBySize = [mmu.L1Data.Size4K.Lookups, mmu.L1Data.Size2M.Lookups, mmu.L1Data.Size1G.Lookups],
            FetchBySize = [mmu.L1Instruction.Size4K.Lookups, mmu.L1Instruction.Size2M.Lookups, mmu.L1Instruction.Size1G.Lookups],
        });
    }

    /// <summary>Runs on.</summary>
    /// <param name="instructionLimit">Stops when so many instructions have retired since the start, exactly.</param>
    /// <param name="marker">Told when the guest passes a marker of its measured part.</param>
    /// <returns>How the guest ended; null where the limit was reached first.</returns>
    /// <exception cref="IOException">The guest's output cannot be written.</exception>
    public ExitReport? Run(ulong instructionLimit, Action<uint> marker)
    {
        while (true)
        {
            MachineStop stop = RunOn(instructionLimit);
            if (stop.Exit.Reason == VmExitReason.InstructionLimit)
                return null;
            if (stop.Exit.Reason == VmExitReason.Marker)
                marker(stop.Exit.Marker);
            else if (Answer(stop) is { } end)
                return end;
        }
    }

    /// <summary>Runs on to whatever does not end by itself.</summary>
    /// <param name="instructionLimit">As for <see cref="Run"/>.</param>
    public MachineStop RunOn(ulong instructionLimit) =>
        _virtual?.Run(Vcpu, instructionLimit) ?? new MachineStop(Vcpu.Run(instructionLimit), PopulateResult.Mapped);

    /// <summary>Answers a stop, which is neither a limit nor a marker.</summary>
    /// <returns>How the guest ended; null where it goes on.</returns>
    /// <exception cref="IOException">The guest's output cannot be written.</exception>
    public ExitReport? Answer(in MachineStop stop)
    {
        VmExit exit = stop.Exit;
        if (stop.Memory != PopulateResult.Mapped)
            return RunEnds.HostMemoryExhausted(exit, Vcpu);
        if (exit.Reason == VmExitReason.StopRequested && _platform is { IsResetRequested: false, Exit.ExitStatus: null })
            return ServeDevices(exit);
        if (exit.Reason == VmExitReason.Syscall)
            return AnswerCall() is { } status ? new ExitReport { Kind = ExitKind.Exited, Status = status } : null;
        return _platform is { IsResetRequested: true, Exit.ExitStatus: null } && exit.Reason == VmExitReason.StopRequested
            ? RunEnds.Reset(Vcpu, Image.Symbols)
            : RunEnds.Describe(exit, Vcpu, Image.Symbols, _platform?.Exit.ExitStatus);
    }

    /// <inheritdoc/>
    void IRunStopper.RequestStop() => Vcpu.RequestStop();

    /// <inheritdoc/>
    void ITranslationInvalidator.Invalidate(LinearAddress start, ulong lengthInBytes, PageSize size)
    {
        ulong pages = lengthInBytes >> size.Shift();
        if (pages > MostPagesInvalidatedSingly)
        {
            if (_shadow is null)
                Mmu.InvalidateAll();
            else
                _shadow.InvalidateAll(Vcpu);
            return;
        }

        for (ulong page = 0; page < pages; page++)
        {
            LinearAddress address = new(start.Value + (page << size.Shift()));
            if (_shadow is null)
                Mmu.InvalidatePage(address);
            else
                _shadow.Invalidate(Vcpu, address);
        }
    }

    /// <inheritdoc/>
    public bool TryRead(LinearAddress address, Span<byte> destination)
    {
        if (!TryFind(address, AccessKind.Read, out HostPhysicalAddress host))
            return false;
        _host.Read(host, destination);
        return true;
    }

    /// <summary>On whose behalf an access of the guest would be made now.</summary>
    public AccessMode CurrentMode => Vcpu.System.Cpl == 3 ? AccessMode.User
        : (Vcpu.Registers.Flags & RFlags.AlignmentCheck) != 0 ? AccessMode.SupervisorWithAc
        : AccessMode.Supervisor;

    /// <summary>Copies bytes of one 4 KiB page out as the tables translate an access of the guest now. Leaves no trace and populates nothing.</summary>
    /// <returns>False where the access would not reach RAM.</returns>
    public bool TryPeek(LinearAddress address, AccessKind kind, Span<byte> destination)
    {
        if (!GuestTables.TryFindInTables(address, kind, CurrentMode, out HostPhysicalAddress host, out _) || !_host.IsRam(host, (ulong)destination.Length))
            return false;
        _host.Read(host, destination);
        return true;
    }

    /// <inheritdoc/>
    public bool TryWrite(LinearAddress address, ReadOnlySpan<byte> source)
    {
        if (!TryFind(address, AccessKind.Write, out HostPhysicalAddress host))
            return false;
        _host.Write(host, source);

        // No dirty flag tells of it.
        if (Mmu.Context.IsNested && Mmu.ReadTables(address, AccessKind.Write, AccessMode.User).GuestPhysical is { } written)
            _guestMemory!.NoteWritten(written.Frame);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _output.Standard.Flush();
        _output.Error.Flush();
        if (_ownHost is null && _virtual!.State != MachineState.Destroyed)
            _virtual.Destroy();
        Vcpu.Dispose();
        _mmuLifetime.Dispose();
        _virtual?.Dispose();
        _ownHost?.Dispose();
    }

    private static ulong HostBytes(RunOptions options)
    {
        if (options.Paging == PagingMode.Native)
            return options.MemoryBytes;

        // All that was promised: guest memory, a leaf table of EPT for each 2 MiB, one large page lost to alignment; shadow tables.
        ulong promised = options.MemoryBytes + (options.MemoryBytes >> 9) + (options.HostPage == PageSize.Size4K ? 0 : 2 * options.HostPage.Bytes()) + EptReserveBytes;
        if (options.Paging == PagingMode.Shadow)
            promised += (ulong)ShadowOptions.TablesFor(options.MemoryBytes) << 12;
        ulong wanted = options.HostMemoryBytes ?? promised;
        return (Math.Min(wanted, HostMemory.MaximumBytes) + 0xFFF) & ~0xFFFUL;
    }

    private static GuestImage Load(GuestKind kind, IGuestPhysicalMemory memory, RunOptions options)
    {
        if (kind.Flat is { } flat)
            return BareLoader.Load(flat, memory, options.GuestPage);
        switch (kind.Kind)
        {
            case ImageKind.Multiboot:
                return MultibootLoader.Load(options.Program.Bytes, MultibootOptions(options), memory);
            case ImageKind.BootSector:
                return RealModeLoader.LoadBootSector(options.Program.Bytes, memory);
            case ImageKind.Rom:
                return RealModeLoader.LoadRom(options.Program.Bytes, memory);
        }

        ElfFile elf = kind.Elf!;
        if (kind.Personality == PersonalityKind.Bare)
            return BareLoader.Load(elf, memory, options.GuestPage);
        return LinuxProcessLoader.Load(elf, memory, new LinuxProcessOptions
        {
            Arguments = [options.Program.Name, .. options.Program.Arguments],
            Environment = [],
            ExecutablePath = options.Program.Name,
            Seed = options.Seed,
            GuestPage = options.GuestPage,
            HardwareCapabilities = new MachineCpuid(options.Machine.Cpuid).Read(1, 0).Edx,
        });
    }

    // The tables that the guest believes to be walked.
    private IMmu GuestTables => _shadow?.GuestTables(Vcpu) ?? Mmu;

    private static ShadowOptions ShadowOptionsOf(RunOptions options) => new()
    {
        MostTables = ShadowOptions.TablesFor(options.MemoryBytes),
        Processor = ShadowOptions.WithoutCaches(options.Machine.ToMmuConfiguration(options.Seed)),
    };

    private IMmu MakeMmu(ITranslationObserver? observer, out IDisposable lifetime)
    {
        MachineDescription machine = _options.Fidelity == Fidelity.Fast ? MachineCatalogue.ForFastFidelity(_options.Machine) : _options.Machine;
        MmuConfiguration configuration = machine.ToMmuConfiguration(_options.Seed);
        if (Timing is { } timing)
        {
            if (observer is null)
            {
                var timed = new Mmu<Timed>(_host, configuration, new Timed(timing));
                lifetime = timed;
                return timed;
            }

            var both = new Mmu<ObservedAndTimed>(_host, configuration, new ObservedAndTimed(timing, observer));
            lifetime = both;
            return both;
        }

        if (observer is not null)
        {
            var observed = new Mmu<Observed>(_host, configuration, new Observed(observer));
            lifetime = observed;
            return observed;
        }

        if (_options.Fidelity == Fidelity.Fast)
        {
            var uncounted = new Mmu<Uncounted>(_host, configuration, default);
            lifetime = uncounted;
            return uncounted;
        }

        var plain = new Mmu<Unobserved>(_host, configuration, default);
        lifetime = plain;
        return plain;
    }

    private static TimingModel? MakeTiming(RunOptions options)
    {
        MachineCatalogue.RequireTimeOf(options.Machine, options.Fidelity);
        return options.Fidelity == Fidelity.Cycles ? new TimingModel(options.Machine.Caches!, options.Machine.Mmu.Latencies) : null;
    }

    private IVirtualClock MakeClock() => _options.Machine.Clock.Counts == ClockSource.Instructions ? new InstructionClock()
        : Timing is { } timing ? new CycleClock(timing)
        : new TranslationClock(Mmu, _options.Machine.Mmu.Latencies);

    private RecordingMmu MakeRecordingMmu(RunRecording recording, out IDisposable lifetime)
    {
        MmuConfiguration configuration = _options.Machine.ToMmuConfiguration(_options.Seed);
        var inner = new Mmu<Unobserved>(_host, configuration with { LookUpEveryAccess = configuration.LookUpEveryAccess || recording.Runs == RecordedRuns.Strict }, default);
        lifetime = inner;
        return new RecordingMmu(inner, _host, recording.Writer, recording.Runs);
    }

    // The devices of a bare-metal guest meet its processor, and find what firmware would have left.
    private void Connect()
    {
        if (_platform is not { } platform)
            return;
        platform.Connect(Vcpu, Mmu);
        if (Image is RealModeImage { Rom.IsEmpty: false } image)
        {
            HostPhysicalAddress start = new(HostMemory.HoleEnd - (ulong)image.Rom.Length);
            Mmio.Attach(start, (ulong)image.Rom.Length, new RomMemory(image.Rom));
            Vcpu.SetRom(start, image.Rom.Span);
        }
        else
            platform.InitialiseAsFirmware();
    }

    private static MultibootOptions MultibootOptions(RunOptions options) => new()
    {
        CommandLine = string.Join(' ', [options.Program.Name, .. options.Program.Arguments]),
        Modules = [.. options.Modules.Select(module => new MultibootModule(module.Bytes, module.Name))],
    };

    // The exit status where the call ended the process.
    private int? AnswerCall()
    {
        RegisterFile registers = Vcpu.Registers;
        var call = new SystemCall(registers.Rax, registers.Rdi, registers.Rsi, registers.Rdx, registers[10], registers[8], registers[9]);
        SystemCallOutcome outcome = _personality!.Answer(call, this);
        registers.Rax = (ulong)outcome.Result;
        return outcome.ExitStatus;
    }

    // A device has stopped the machine. Null where the guest goes on.
    private ExitReport? ServeDevices(VmExit exit)
    {
        try
        {
            _platform!.ServeDevices();
            return null;
        }
        catch (HostMemoryExhaustedException) when (_ownHost is not null)
        {
            return RunEnds.HostMemoryExhausted(exit, Vcpu);
        }
    }

    private bool TryFind(LinearAddress address, AccessKind kind, out HostPhysicalAddress host)
    {
        while (true)
        {
            if (GuestTables.TryFindInTables(address, kind, AccessMode.User, out host, out TranslationFault fault))
                return _host.IsRam(host);

            if (fault.Failure == TranslationFailure.PageModificationLogFull)
            {
                _guestMemory!.EmptyLogs();
                continue;
            }

            // A page of the process that the hypervisor has not given a frame yet, or has taken away.
            if (fault.Failure is not (TranslationFailure.EptViolation or TranslationFailure.NestedPageFault) || !TryBringIn(fault.GuestPhysical))
                return false;
        }
    }

    private bool TryBringIn(GuestPhysicalAddress address) => _guestMemory!.BringIn(address) switch
    {
        PopulateResult.Mapped => true,

        // Beside others it is not the guest's fault: no errno would be true.
        PopulateResult.NoFrame when _ownHost is null => throw new HostMemoryExhaustedException(),
        PopulateResult.NoFrame or PopulateResult.OutOfReach => false,
        var lost => throw new SwappedPageLostException(address, lost),
    };
}
