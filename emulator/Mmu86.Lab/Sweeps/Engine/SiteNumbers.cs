using Mmu86.Lab.Running;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Sweeps.Engine;

/// <summary>Numbers the symbols whose code makes accesses.</summary>
internal sealed class SiteNumbers
{
    /// <summary>The name of what no symbol covers.</summary>
    public const string Elsewhere = "(no symbol)";

    private readonly Dictionary<ulong, ushort> _byInstruction = [];
    private readonly Dictionary<string, ushort> _byName = [];
    private readonly List<string> _names = [];
    private ulong _lastInstruction = ulong.MaxValue;
    private ushort _lastNumber;

    /// <summary>The names, by number.</summary>
    public IReadOnlyList<string> Names => _names;

    /// <summary>Numbers the accesses of a machine from now on.</summary>
    public void Attach(GuestMachine machine, RecordingMmu mmu) => mmu.Site = () => Number(machine);

    private ushort Number(GuestMachine machine)
    {
        LinearAddress instruction = machine.Vcpu.AccessingInstruction;
        if (instruction.Value == _lastInstruction)
            return _lastNumber;
        _lastInstruction = instruction.Value;
        if (!_byInstruction.TryGetValue(instruction.Value, out _lastNumber))
        {
            _lastNumber = Named(machine.Image.Symbols.Nearest(instruction)?.Name ?? Elsewhere);
            _byInstruction.Add(instruction.Value, _lastNumber);
        }

        return _lastNumber;
    }

    // Beyond what an event has room for, symbols share the last number.
    private ushort Named(string name)
    {
        if (_byName.TryGetValue(name, out ushort number))
            return number;
        if (_names.Count == ushort.MaxValue)
        {
            _names[^1] = Elsewhere;
            return ushort.MaxValue - 1;
        }

        number = (ushort)_names.Count;
        _names.Add(name);
        _byName.Add(name, number);
        return number;
    }
}
