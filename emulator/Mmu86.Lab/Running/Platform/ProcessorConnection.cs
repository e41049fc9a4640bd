using Mmu86.Cpu;
using Mmu86.Devices;

namespace Mmu86.Lab.Running.Platform;

/// <summary>Between a virtual CPU and the machine's devices: its interrupt controller, its clock, and the registers that they share.</summary>
/// <param name="frequency">Ticks of the virtual clock in one second.</param>
internal sealed class ProcessorConnection(ulong frequency) : IProcessorEvents, IProcessorRegisters, IDeviceClock
{
    private const ulong ApicEnabled = 1UL << 11;
    private const ulong ApicExtended = 1UL << 10;

    private Vcpu _vcpu = null!;
    private Timeline _timeline = null!;
    private LocalApic _apic = null!;
    private LocalApicMsrs _registers = null!;
    private InterruptControllerPair _pair = null!;

    /// <inheritdoc/>
    public ulong Now => _vcpu.VirtualTime;

    /// <inheritdoc/>
    public ulong Frequency => frequency;

    /// <inheritdoc/>
    public byte TaskPriority
    {
        get => _vcpu.System.TaskPriority;
        set => _vcpu.System.TaskPriority = value;
    }

    /// <inheritdoc/>
    public ulong TimeStampOffset => _vcpu.System.TscOffset;

    /// <inheritdoc/>
    public ulong NextDeadline => _timeline.NextDeadline;

    /// <inheritdoc/>
    public bool HasInterrupt => _apic.HasInterrupt || HasExternal;

    /// <inheritdoc/>
    public bool HasNonMaskableInterrupt => _apic.IsNonMaskableRequested;

    private bool HasExternal => _apic.PassesExternal && _pair.IsInterrupting;

    /// <summary>Connects both sides. The devices were made with this object as their clock.</summary>
    public void Connect(Vcpu vcpu, Timeline timeline, LocalApic apic, InterruptControllerPair pair)
    {
        _vcpu = vcpu;
        _timeline = timeline;
        _apic = apic;
        _registers = new LocalApicMsrs(apic);
        _pair = pair;
        timeline.Touched = vcpu.NoteEvents;
        vcpu.Connect(this);
    }

    /// <inheritdoc/>
    public void Advance() => _timeline.Advance();

    /// <inheritdoc/>
    public byte AcknowledgeInterrupt() => HasExternal ? _pair.Acknowledge() : _apic.Acknowledge();

    /// <inheritdoc/>
    public void AcknowledgeNonMaskableInterrupt() => _apic.AcknowledgeNonMaskable();

    /// <inheritdoc/>
    public bool OwnsRegister(uint number) => LocalApicMsrs.IsNumber(number);

    /// <inheritdoc/>
    public bool TryReadRegister(uint number, out ulong value)
    {
        _timeline.Advance();
        return _registers.TryRead(number, out value);
    }

    /// <inheritdoc/>
    public bool TryWriteRegister(uint number, ulong value)
    {
        _timeline.Advance();
        return _registers.TryWrite(number, value);
    }

    /// <inheritdoc/>
    public bool TryWriteApicBase(ulong value) => _apic.TrySetMode((value & ApicEnabled) != 0, (value & ApicExtended) != 0);
}
