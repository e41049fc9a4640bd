using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>The local APIC of one processor: what waits, what is in service, and by which priority. SDM 3, "Advanced Programmable Interrupt Controller (APIC)".</summary>
/// <remarks>Its registers are reached by <see cref="LocalApicMemory"/> and <see cref="LocalApicMsrs"/>.</remarks>
public sealed partial class LocalApic : ITimedDevice, ISavedDevice
{
    private const uint SoftwareEnable = 1 << 8;
    private const uint LvtMasked = 1 << 16;
    private const byte LowestVector = 16;

    private readonly ApicBus _bus;
    private readonly IProcessorRegisters _processor;
    private readonly IMachineReset _reset;
    private readonly LocalApicTimer _timer;
    private VectorSet _requests;
    private VectorSet _inService;
    private VectorSet _levels; // TMR
    private uint _spurious = 0xFF;
    private uint _pendingErrors;

    /// <summary>Makes the APIC of a processor.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="processor">What it shares with its processor.</param>
    /// <param name="bus">How it reaches others.</param>
    /// <param name="reset">What INIT does to a machine whose only processor gets it.</param>
    public LocalApic(uint id, IProcessorRegisters processor, ApicBus bus, IMachineReset reset)
    {
        _reset = reset;
        Id = id;
        _initialId = id;
        _processor = processor;
        _bus = bus;
        _timer = new LocalApicTimer(processor);
        bus.Add(this);
    }

    /// <summary>Its id.</summary>
    public uint Id { get; private set; }

    /// <summary>Off, in memory, or in model-specific registers.</summary>
    public LocalApicMode Mode { get; private set; } = LocalApicMode.Memory;

    /// <summary>Whether an NMI waits.</summary>
    public bool IsNonMaskableRequested { get; private set; }

    /// <summary>Whether an interrupt of the 8259 pair, raised at LINT0, reaches the processor.</summary>
    /// <remarks>It does where the APIC is off, and where LINT0 is what firmware makes it: ExtINT, not masked.</remarks>
    public bool PassesExternal =>
        Mode == LocalApicMode.Disabled || (_lvt[Lint0] & (LvtMasked | LvtModeMask)) == ((uint)ApicDeliveryMode.External << LvtModeShift);

    /// <inheritdoc/>
    public bool IsWanted => IsSoftwareEnabled && (_lvt[Timer] & LvtMasked) == 0;

    /// <inheritdoc/>
    public ulong NextChange => _timer.NextEnd;

    private bool IsSoftwareEnabled => Mode != LocalApicMode.Disabled && (_spurious & SoftwareEnable) != 0;

    // PPR: the task's priority or that of the interrupt in service, whichever is higher.
    private byte ProcessorPriority
    {
        get
        {
            byte task = _processor.TaskPriority;
            int service = Math.Max(0, _inService.Highest) & 0xF0;
            return (task & 0xF0) >= service ? task : (byte)service;
        }
    }

    /// <summary>Whether an interrupt waits whose priority is above the processor's.</summary>
    public bool HasInterrupt => IsSoftwareEnabled && _requests.Highest >> 4 > ProcessorPriority >> 4;

    /// <summary>The processor takes the interrupt of highest priority into service.</summary>
    /// <returns>Its vector; the spurious vector, and nothing in service, where priorities changed meanwhile.</returns>
    public byte Acknowledge()
    {
        if (!HasInterrupt)
            return (byte)_spurious;
        var vector = (byte)_requests.Highest;
        _requests.Remove(vector);
        _inService.Add(vector);
        return vector;
    }

    /// <summary>The processor takes the NMI.</summary>
    public void AcknowledgeNonMaskable() => IsNonMaskableRequested = false;

    /// <summary>An NMI arrives by a wire: LINT1, where the APIC is on and lets it through.</summary>
    public void RaiseNonMaskable()
    {
        bool passes = Mode == LocalApicMode.Disabled
            || (_lvt[Lint1] & (LvtMasked | LvtModeMask)) == ((uint)ApicDeliveryMode.NonMaskable << LvtModeShift);
        IsNonMaskableRequested |= passes;
    }

    /// <summary>Whether a message for a destination is for this APIC. SDM 3, "Determining IPI Destination".</summary>
    public bool IsMeant(uint destination, bool isLogical)
    {
        if (Mode == LocalApicMode.Disabled)
            return false;
        bool isExtended = Mode == LocalApicMode.Registers;
        if (destination == (isExtended ? uint.MaxValue : 0xFFu) || (isExtended && !isLogical && destination == 0xFF))
            return true;
        if (!isLogical)
            return destination == Id;
        if (isExtended)
            return destination >> 16 == ExtendedLogicalId >> 16 && (destination & ExtendedLogicalId & 0xFFFF) != 0;
        byte logical = (byte)(_logicalDestination >> 24);
        return _destinationFormat >> 28 == 0xF
            ? (logical & destination) != 0
            : logical >> 4 == destination >> 4 && (logical & destination & 0xF) != 0;
    }

    /// <summary>Takes a message.</summary>
    /// <returns>Whether it was accepted.</returns>
    public bool Accept(in ApicMessage message)
    {
        switch (message.Mode)
        {
            case ApicDeliveryMode.Fixed or ApicDeliveryMode.LowestPriority:
                return Request(message.Vector, message.IsLevel);
            case ApicDeliveryMode.NonMaskable:
                IsNonMaskableRequested = true;
                return true;
            case ApicDeliveryMode.Init:
                _reset.RequestReset();
                return true;
            default:
                return false; // a processor that does not wait for a start-up message ignores it; there is no SMM
        }
    }

    /// <inheritdoc/>
    public void AdvanceTo(ulong now)
    {
        if (_timer.AdvanceTo(now))
            RaiseLocal(Timer);
    }

    private bool Request(byte vector, bool isLevel)
    {
        if (!IsSoftwareEnabled)
            return false;
        if (vector < LowestVector)
        {
            Report(ReceivedIllegalVector);
            return false;
        }

        _requests.Add(vector);
        if (isLevel)
            _levels.Add(vector);
        else
            _levels.Remove(vector);
        return true;
    }

    // EOI: ends the interrupt of highest priority in service.
    private void End()
    {
        if (_inService.Highest is not (>= 0 and var highest))
            return;
        var vector = (byte)highest;
        _inService.Remove(vector);
        if (_levels.Contains(vector))
            _bus.End(vector);
    }

    // An interrupt of the APIC's own, by its entry of the local vector table.
    private void RaiseLocal(int entry)
    {
        uint lvt = _lvt[entry];
        if ((lvt & LvtMasked) != 0)
            return;
        if (((lvt & LvtModeMask) >> LvtModeShift) == (uint)ApicDeliveryMode.NonMaskable)
            IsNonMaskableRequested = true;
        else
            Request((byte)lvt, isLevel: false);
    }

    private void Report(uint error)
    {
        bool isNew = (_pendingErrors & error) == 0;
        _pendingErrors |= error;

        // An error whose own vector is illegal is reported once, and not for ever.
        if (isNew && IsSoftwareEnabled)
            RaiseLocal(Error);
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        _requests.Save(writer);
        _inService.Save(writer);
        _levels.Save(writer);
        writer.WriteArray<uint>([Id, _spurious, _pendingErrors, _errors, _logicalDestination, _destinationFormat, _commandLow, _commandHigh]);
        writer.WriteArray<uint>(_lvt);
        writer.Write((byte)Mode);
        writer.Write(IsNonMaskableRequested);
        _timer.Save(writer);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        _requests.Load(reader, "requests");
        _inService.Load(reader, "inService");
        _levels.Load(reader, "levels");
        Span<uint> registers = stackalloc uint[8];
        reader.ReadArray("registers", registers);
        (Id, _spurious, _pendingErrors, _errors) = (registers[0], registers[1], registers[2], registers[3]);
        (_logicalDestination, _destinationFormat, _commandLow, _commandHigh) = (registers[4], registers[5], registers[6], registers[7]);
        reader.ReadArray<uint>("lvt", _lvt);
        Mode = (LocalApicMode)reader.ReadByte("mode");
        if (Mode > LocalApicMode.Registers)
            throw reader.Refuse("mode", "is none that there is");
        IsNonMaskableRequested = reader.ReadBoolean("nonMaskable");
        _timer.Load(reader);
    }
}
