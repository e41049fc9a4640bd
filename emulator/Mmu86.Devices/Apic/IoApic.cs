using Mmu86.Memory;

namespace Mmu86.Devices;

/// <summary>The I/O APIC: 24 pins and a message for each. Intel 82093AA, "Register Description".</summary>
public sealed class IoApic : IMmioDevice, ISavedDevice
{
    /// <summary>The first physical address.</summary>
    public const ulong Address = 0xFEC0_0000;

    /// <summary>Its size in bytes.</summary>
    public const int SizeInBytes = 4096;

    /// <summary>How many pins there are.</summary>
    public const int PinCount = 24;

    private const ulong SelectOffset = 0x00;
    private const ulong WindowOffset = 0x10;

    private const byte IdRegister = 0;
    private const byte VersionRegister = 1;
    private const byte ArbitrationRegister = 2;
    private const byte FirstEntryRegister = 0x10;
    private const uint Version = ((PinCount - 1) << 16) | 0x11;

    private const ulong IsLogical = 1 << 11;
    private const ulong RemoteRequest = 1 << 14;
    private const ulong IsLevel = 1 << 15;
    private const ulong IsMasked = 1 << 16;
    private const ulong Writable = 0xFF00_0000_0001_AFFF;

    private readonly ApicBus _bus;
    private readonly ulong[] _entries = new ulong[PinCount];
    private uint _pins;
    private byte _select;
    private byte _id;

    /// <summary>Makes one with all pins masked.</summary>
    public IoApic(ApicBus bus)
    {
        _bus = bus;
        _entries.AsSpan().Fill(IsMasked);
        bus.IoApic = this;
    }

    /// <summary>Whether a pin could interrupt.</summary>
    public bool Listens(int pin) => (_entries[pin] & IsMasked) == 0;

    /// <summary>The wire to a pin.</summary>
    public IInterruptLine Line(int pin) => new Wire(this, pin);

    /// <summary>A level-triggered interrupt ended: pins that sent it and are still high send it again.</summary>
    public void End(byte vector)
    {
        for (int pin = 0; pin < PinCount; pin++)
        {
            if ((_entries[pin] & (RemoteRequest | IsLevel)) != (RemoteRequest | IsLevel) || (byte)_entries[pin] != vector)
                continue;
            _entries[pin] &= ~RemoteRequest;
            SendLevel(pin);
        }
    }

    /// <inheritdoc/>
    public ulong Read(ulong offset, int size)
    {
        uint value = offset switch
        {
            SelectOffset => _select,
            WindowOffset => ReadRegister(),
            _ => 0,
        };
        return value & (ulong.MaxValue >> (64 - (size * 8)));
    }

    /// <inheritdoc/>
    public void Write(ulong offset, ulong value, int size)
    {
        if (offset == SelectOffset)
            _select = (byte)value;
        else if (offset == WindowOffset)
            WriteRegister((uint)value);
    }

    private uint ReadRegister()
    {
        switch (_select)
        {
            case IdRegister or ArbitrationRegister:
                return (uint)_id << 24;
            case VersionRegister:
                return Version;
            default:
                int index = _select - FirstEntryRegister;
                return (uint)index >= PinCount * 2 ? 0 : (uint)(_entries[index >> 1] >> ((index & 1) * 32));
        }
    }

    private void WriteRegister(uint value)
    {
        if (_select == IdRegister)
            _id = (byte)((value >> 24) & 15);
        int index = _select - FirstEntryRegister;
        if ((uint)index >= PinCount * 2)
            return;
        int pin = index >> 1;
        int shift = (index & 1) * 32;
        ulong written = Writable & ((ulong)uint.MaxValue << shift);
        ulong entry = (_entries[pin] & ~written) | (((ulong)value << shift) & written);
        if ((entry & IsLevel) == 0)
            entry &= ~RemoteRequest;
        _entries[pin] = entry;
        SendLevel(pin);
    }

    private void Set(int pin, bool isHigh)
    {
        bool rises = isHigh && (_pins & (1u << pin)) == 0;
        _pins = isHigh ? _pins | (1u << pin) : _pins & ~(1u << pin);
        if ((_entries[pin] & IsLevel) != 0)
            SendLevel(pin);
        else if (rises && (_entries[pin] & IsMasked) == 0)
            Send(pin); // an edge at a masked pin is lost
    }

    private void SendLevel(int pin)
    {
        const ulong State = IsLevel | IsMasked | RemoteRequest;
        if ((_pins & (1u << pin)) != 0 && (_entries[pin] & State) == IsLevel && Send(pin))
            _entries[pin] |= RemoteRequest;
    }

    private bool Send(int pin)
    {
        ulong entry = _entries[pin];
        var mode = (ApicDeliveryMode)((entry >> 8) & 7);
        return _bus.Send(new ApicMessage((byte)entry, mode, (uint)(entry >> 56), (entry & IsLogical) != 0, (entry & IsLevel) != 0));
    }

    private sealed class Wire(IoApic apic, int pin) : IInterruptLine
    {
        public void Raise() => apic.Set(pin, isHigh: true);

        public void Lower() => apic.Set(pin, isHigh: false);
    }

    /// <inheritdoc/>
    public void Save(StateWriter writer)
    {
        writer.WriteArray<ulong>(_entries);
        writer.Write(_pins);
        writer.Write(_select);
        writer.Write(_id);
    }

    /// <inheritdoc/>
    public void Load(StateReader reader)
    {
        reader.ReadArray<ulong>("entries", _entries);
        _pins = reader.ReadUInt32("pins");
        _select = reader.ReadByte("select");
        _id = reader.ReadByte("id");
    }
}
