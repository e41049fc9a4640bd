using System.Buffers.Binary;
using System.Text;
using Mmu86.Memory;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Migration;

/// <summary>The end of a migration that gets the machine. Where anything fails, what was made here is to be destroyed.</summary>
public sealed class MigrationReceiver
{
    private readonly IMigratedMachine _machine;
    private readonly MigrationReader _reader;
    private readonly List<StateSection> _state = [];
    private readonly HashSet<string> _names = [];
    private ulong _pages;
    private ulong _zeros;
    private uint _rounds;
    private bool _hasHello;

    /// <summary>Makes one.</summary>
    /// <param name="machine">A machine of equal options that has run nothing. What a loader placed in its memory is given up.</param>
    /// <param name="stream">Where the bytes come from.</param>
    public MigrationReceiver(IMigratedMachine machine, Stream stream)
    {
        _machine = machine;
        _reader = new MigrationReader(stream);
        machine.Memory.Forget();
    }

    /// <summary>Receives the records of one round, to its end.</summary>
    /// <exception cref="MigrationException">The stream is broken or no such stream, or the host has no frame.</exception>
    public void ReceiveRound() => _ = Receive(MigrationRecord.RoundEnd);

    /// <summary>Receives the last round, the balloon and the state. The machine can run.</summary>
    /// <exception cref="MigrationException">As there; or the state is of no such machine.</exception>
    public void ReceiveEnd()
    {
        ReceiveRound();
        _ = Receive(MigrationRecord.End);
        try
        {
            _machine.Memory.LoadCounts(_state);
            _machine.LoadState(_state);
        }
        catch (StateFormatException exception)
        {
            throw new MigrationException($"the state of the machine is refused: {exception.Message}", exception);
        }
    }

    private MigrationRecord Receive(MigrationRecord last)
    {
        try
        {
            while (true)
            {
                MigrationRecord kind = _reader.Next();
                if (_hasHello == (kind == MigrationRecord.Hello))
                    throw new MigrationException(_hasHello ? "a record Hello stands in the middle" : $"the first record is {kind}, not Hello");
                Take(kind);
                if (kind == last)
                    return kind;
                if (kind is MigrationRecord.RoundEnd or MigrationRecord.End)
                    throw new MigrationException($"a record {kind} stands where {last} should");
            }
        }
        catch (HostMemoryExhaustedException exception)
        {
            throw new MigrationException("the destination has no frame left for the machine's memory", exception);
        }
    }

    private void Take(MigrationRecord kind)
    {
        ReadOnlySpan<byte> bytes = _reader.Bytes;
        switch (kind)
        {
            case MigrationRecord.Hello:
                TakeHello(bytes);
                break;
            case MigrationRecord.Page:
                _machine.Memory.Write(Frame(bytes, kind).Address, bytes[sizeof(ulong)..]);
                _pages++;
                break;
            case MigrationRecord.Zeros:
                for (; bytes.Length > 0; bytes = bytes[sizeof(ulong)..])
                {
                    _machine.Memory.Clear(Frame(bytes, kind).Address, 4096);
                    _zeros++;
                }

                break;
            case MigrationRecord.Balloon:
                TakeBalloon(bytes);
                break;
            case MigrationRecord.RoundEnd:
                uint round = BinaryPrimitives.ReadUInt32LittleEndian(bytes);
                if (round != ++_rounds)
                    throw new MigrationException($"the number of a round is {round}, not {_rounds}");
                break;
            case MigrationRecord.State:
                TakeState(bytes);
                break;
            case MigrationRecord.End:
                Require("pages", BinaryPrimitives.ReadUInt64LittleEndian(bytes), _pages);
                Require("zero pages", BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]), _zeros);
                Require("sections", BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]), (ulong)_state.Count);
                break;
            default:
                throw new System.Diagnostics.UnreachableException();
        }
    }

    private void TakeHello(ReadOnlySpan<byte> bytes)
    {
        if (BinaryPrimitives.ReadUInt64LittleEndian(bytes) != MigrationFormat.Magic)
            throw new MigrationException("the magic number is not that of a migration");
        uint version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        if (version != MigrationFormat.Version)
            throw new MigrationException($"the version is {version}; only {MigrationFormat.Version} is understood");
        ulong size = BinaryPrimitives.ReadUInt64LittleEndian(bytes[12..]);
        if (size != _machine.Memory.SizeInBytes)
            throw new MigrationException($"the memory size is 0x{size:x}, and this machine has 0x{_machine.Memory.SizeInBytes:x}");
        _hasHello = true;
    }

    private void TakeBalloon(ReadOnlySpan<byte> bytes)
    {
        List<GuestFrameNumber> frames = [];
        for (; bytes.Length > 0; bytes = bytes[sizeof(ulong)..])
            frames.Add(Frame(bytes, MigrationRecord.Balloon));
        BalloonOutcome outcome = _machine.Memory.Balloon([.. frames]);
        if (outcome.Repeated > 0)
            throw new MigrationException("a record Balloon has a frame twice");
        if (outcome.WithoutTable > 0)
            throw new HostMemoryExhaustedException();
    }

    private void TakeState(ReadOnlySpan<byte> bytes)
    {
        int length = bytes[0];
        if (length is 0 or > MigrationFormat.MostNameBytes || length >= bytes.Length)
            throw new MigrationException($"the length of a section's name is {length}");
        string name = Encoding.ASCII.GetString(bytes.Slice(1, length));
        if (!_names.Add(name))
            throw new MigrationException($"section '{name}' is there twice");
        _state.Add(new StateSection(name, bytes[(1 + length)..].ToArray()));
    }

    private GuestFrameNumber Frame(ReadOnlySpan<byte> bytes, MigrationRecord kind)
    {
        ulong number = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        if (number >= 1UL << 40 || !_machine.Memory.IsFrame(new GuestFrameNumber(number)))
            throw new MigrationException($"the frame number of a record {kind} is 0x{number:x}, which is not the guest's");
        return new GuestFrameNumber(number);
    }

    private static void Require(string what, ulong told, ulong received)
    {
        if (told != received)
            throw new MigrationException($"the number of {what} is {told}, and {received} came");
    }
}
