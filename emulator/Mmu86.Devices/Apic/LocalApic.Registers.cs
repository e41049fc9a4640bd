namespace Mmu86.Devices;

// The registers by their offset in memory; an MSR of x2APIC is 800H plus a sixteenth of it.
public sealed partial class LocalApic
{
    private const int IdRegister = 0x020;
    private const int VersionRegister = 0x030;
    private const int TaskPriorityRegister = 0x080;
    private const int ArbitrationPriorityRegister = 0x090;
    private const int ProcessorPriorityRegister = 0x0A0;
    private const int EndRegister = 0x0B0;
    private const int RemoteReadRegister = 0x0C0;
    private const int LogicalDestinationRegister = 0x0D0;
    private const int DestinationFormatRegister = 0x0E0;
    private const int SpuriousRegister = 0x0F0;
    private const int InServiceRegisters = 0x100;
    private const int TriggerModeRegisters = 0x180;
    private const int RequestRegisters = 0x200;
    private const int ErrorRegister = 0x280;
    private const int CommandLowRegister = 0x300;
    private const int CommandHighRegister = 0x310;
    private const int TimerEntryRegister = 0x320;
    private const int ErrorEntryRegister = 0x370;
    private const int InitialCountRegister = 0x380;
    private const int CurrentCountRegister = 0x390;
    private const int DivideRegister = 0x3E0;
    private const int SelfInterruptRegister = 0x3F0;

    // The local vector table, in the order of its registers.
    private const int Timer = 0;
    private const int Lint0 = 3;
    private const int Lint1 = 4;
    private const int Error = 5;
    private const int Entries = 6;
    private const uint LvtModeMask = 7 << LvtModeShift;
    private const int LvtModeShift = 8;

    private const uint SentIllegalVector = 1 << 5;
    private const uint ReceivedIllegalVector = 1 << 6;
    private const uint IllegalRegister = 1 << 7;

    // 23..16: entries of the local vector table less one; 7..0: integrated APIC
    private const uint Version = ((Entries - 1) << 16) | 0x14;

    // What can be written of each entry: vector, mask; the timer's mode; delivery mode; polarity and trigger of the pins.
    private static readonly uint[] s_lvtWritable = [0x7_00FF, 0x1_07FF, 0x1_07FF, 0x1_A7FF, 0x1_A7FF, 0x1_00FF];

    // LINT0 is what firmware makes it: the way of the 8259 pair.
    private readonly uint[] _lvt = [LvtMasked, LvtMasked, LvtMasked, (uint)ApicDeliveryMode.External << LvtModeShift, LvtMasked, LvtMasked];
    private readonly uint _initialId;
    private uint _logicalDestination;
    private uint _destinationFormat = uint.MaxValue;
    private uint _errors;
    private uint _commandLow;
    private uint _commandHigh;

    // 31..16 cluster, 15..0 a bit of the processor in it
    private uint ExtendedLogicalId => (Id >> 4 << 16) | (1u << (int)(Id & 15));

    /// <summary>Puts bits 11 and 10 of IA32_APIC_BASE in force. Going off resets the APIC.</summary>
    /// <returns>False for a transition that does not exist: #GP(0).</returns>
    public bool TrySetMode(bool isEnabled, bool isExtended)
    {
        LocalApicMode wanted = isEnabled ? isExtended ? LocalApicMode.Registers : LocalApicMode.Memory : LocalApicMode.Disabled;
        bool isAllowed = (isEnabled || !isExtended)
            && !(Mode == LocalApicMode.Registers && wanted == LocalApicMode.Memory)
            && !(Mode == LocalApicMode.Disabled && wanted == LocalApicMode.Registers);
        if (!isAllowed)
            return false;
        if (wanted == LocalApicMode.Disabled && Mode != LocalApicMode.Disabled)
            Reset();
        if (wanted == LocalApicMode.Registers)
            Id = _initialId;
        Mode = wanted;
        return true;
    }

    /// <summary>Reads a register in memory.</summary>
    /// <param name="offset">Its offset; a multiple of 16.</param>
    internal uint Read(int offset) => offset switch
    {
        IdRegister => Mode == LocalApicMode.Registers ? Id : Id << 24,
        VersionRegister => Version,
        TaskPriorityRegister => _processor.TaskPriority,
        ArbitrationPriorityRegister or ProcessorPriorityRegister => ProcessorPriority,
        EndRegister or RemoteReadRegister => 0,
        LogicalDestinationRegister => Mode == LocalApicMode.Registers ? ExtendedLogicalId : _logicalDestination,
        DestinationFormatRegister => _destinationFormat,
        SpuriousRegister => _spurious,
        >= InServiceRegisters and < TriggerModeRegisters => _inService.Register((offset - InServiceRegisters) >> 4),
        >= TriggerModeRegisters and < RequestRegisters => _levels.Register((offset - TriggerModeRegisters) >> 4),
        >= RequestRegisters and < ErrorRegister => _requests.Register((offset - RequestRegisters) >> 4),
        ErrorRegister => _errors,
        CommandLowRegister => _commandLow,
        CommandHighRegister => _commandHigh,
        >= TimerEntryRegister and <= ErrorEntryRegister => _lvt[(offset - TimerEntryRegister) >> 4],
        InitialCountRegister => _timer.InitialCount,
        CurrentCountRegister => _timer.CurrentCount,
        DivideRegister => _timer.DivideConfiguration,
        _ => NoRegister(),
    };

    /// <summary>Writes a register in memory.</summary>
    internal void Write(int offset, uint value)
    {
        switch (offset)
        {
            case IdRegister:
                Id = value >> 24;
                break;
            case TaskPriorityRegister:
                _processor.TaskPriority = (byte)value;
                break;
            case EndRegister:
                End();
                break;
            case LogicalDestinationRegister:
                _logicalDestination = value & 0xFF00_0000;
                break;
            case DestinationFormatRegister:
                _destinationFormat = value | 0x0FFF_FFFF;
                break;
            case SpuriousRegister:
                WriteSpurious(value);
                break;
            case ErrorRegister:
                _errors = _pendingErrors;
                _pendingErrors = 0;
                break;
            case CommandLowRegister:
                WriteCommand(value, _commandHigh >> 24);
                break;
            case CommandHighRegister:
                _commandHigh = value & 0xFF00_0000;
                break;
            case >= TimerEntryRegister and <= ErrorEntryRegister:
                WriteEntry((offset - TimerEntryRegister) >> 4, value);
                break;
            case InitialCountRegister:
                _timer.InitialCount = value;
                break;
            case DivideRegister:
                _timer.DivideConfiguration = value;
                break;
            case VersionRegister or ArbitrationPriorityRegister or ProcessorPriorityRegister or RemoteReadRegister or CurrentCountRegister
                or (>= InServiceRegisters and < ErrorRegister):
                break; // read-only
            default:
                NoRegister();
                break;
        }
    }

    /// <summary>Reads a register as an MSR.</summary>
    /// <param name="offset">The offset that it has in memory.</param>
    /// <param name="value">What it holds.</param>
    /// <returns>False where there is none, or it cannot be read: #GP(0).</returns>
    internal bool TryReadExtended(int offset, out ulong value)
    {
        value = 0;
        bool isReadable = offset is IdRegister or VersionRegister or TaskPriorityRegister or ProcessorPriorityRegister
            or LogicalDestinationRegister or SpuriousRegister or (>= InServiceRegisters and <= ErrorRegister) or CommandLowRegister
            or (>= TimerEntryRegister and <= CurrentCountRegister) or DivideRegister;
        if (!isReadable)
            return false;
        value = offset == CommandLowRegister ? ((ulong)_commandHigh << 32) | _commandLow : Read(offset);
        return true;
    }

    /// <summary>Writes a register as an MSR.</summary>
    /// <returns>False where there is none, it cannot be written, or reserved bits are set: #GP(0).</returns>
    internal bool TryWriteExtended(int offset, ulong value)
    {
        ulong writable = offset switch
        {
            TaskPriorityRegister => 0xFF,
            EndRegister or ErrorRegister => 0,
            SpuriousRegister => 0x1FF,
            CommandLowRegister => 0xFFFF_FFFF_000C_CFFF,
            >= TimerEntryRegister and <= ErrorEntryRegister => s_lvtWritable[(offset - TimerEntryRegister) >> 4],
            InitialCountRegister => uint.MaxValue,
            DivideRegister => 0b1011,
            SelfInterruptRegister => 0xFF,
            _ => ulong.MaxValue,
        };
        if (writable == ulong.MaxValue || (value & ~writable) != 0)
            return false;
        switch (offset)
        {
            case CommandLowRegister:
                _commandHigh = (uint)(value >> 32);
                WriteCommand((uint)value, _commandHigh);
                break;
            case SelfInterruptRegister:
                Request((byte)value, isLevel: false);
                break;
            default:
                Write(offset, (uint)value);
                break;
        }

        return true;
    }

    /// <summary>IA32_TSC_DEADLINE.</summary>
    internal ulong Deadline
    {
        get => _timer.Deadline;
        set => _timer.Deadline = value;
    }

    private uint NoRegister()
    {
        Report(IllegalRegister);
        return 0;
    }

    private void WriteSpurious(uint value)
    {
        _spurious = value & 0x1FF;
        if ((value & SoftwareEnable) != 0)
            return;

        // SDM 3, "Local APIC State After It Has Been Software Disabled".
        for (int entry = 0; entry < Entries; entry++)
            _lvt[entry] |= LvtMasked;
    }

    private void WriteEntry(int entry, uint value)
    {
        value &= s_lvtWritable[entry];
        if ((_spurious & SoftwareEnable) == 0)
            value |= LvtMasked;
        _lvt[entry] = value;
        if (entry == Timer)
            _timer.Mode = (LocalApicTimer.TimerMode)((value >> 17) & 3);
    }

    // 19..18 shorthand, 15 level, 14 assert, 12 delivery status, 11 logical, 10..8 mode, 7..0 vector
    private void WriteCommand(uint value, uint destination)
    {
        const uint Writable = 0x000C_CFFF;
        _commandLow = value & Writable; // delivery status is 0 at once: a message is taken or lost in the moment it is sent
        var mode = (ApicDeliveryMode)((value >> 8) & 7);
        var vector = (byte)value;
        if (mode is ApicDeliveryMode.Fixed or ApicDeliveryMode.LowestPriority && vector < LowestVector)
        {
            Report(SentIllegalVector);
            return;
        }

        // The de-assert of INIT is for processors older than any that has this APIC's version: nobody takes it.
        const uint Level = 1 << 14;
        if (mode == ApicDeliveryMode.Init && (value & Level) == 0)
            return;

        // IPIs are edge-triggered whatever bit 15 says.
        var message = new ApicMessage(vector, mode, destination, (value & (1 << 11)) != 0, IsLevel: false);
        switch ((value >> 18) & 3)
        {
            case 0:
                _bus.Send(message);
                break;
            case 1:
                Accept(message);
                break;
            case 2:
                _bus.Broadcast(message, except: null);
                break;
            default:
                _bus.Broadcast(message, except: this);
                break;
        }
    }

    private void Reset()
    {
        _requests = default;
        _inService = default;
        _levels = default;
        _spurious = 0xFF;
        _pendingErrors = 0;
        _errors = 0;
        _logicalDestination = 0;
        _destinationFormat = uint.MaxValue;
        _commandLow = 0;
        _commandHigh = 0;
        _lvt.AsSpan().Fill(LvtMasked);
        _timer.Mode = LocalApicTimer.TimerMode.OneShot;
        _timer.InitialCount = 0;
        _timer.DivideConfiguration = 0;
        _processor.TaskPriority = 0;
        Id = _initialId;
    }
}
