using Mmu86.Hypervisor.Swap;
using Mmu86.Memory;

namespace Mmu86.Hypervisor.Scheduling;

/// <content>The scheduler in a saved state, between two quanta.</content>
public sealed partial class HostScheduler
{
    private const string Section = "scheduler";

    /// <summary>The host whose machines these are.</summary>
    internal VirtualHost Host => _host;

    /// <summary>Where the stores of the machines are.</summary>
    internal HostSwap? Swap => _options.Swap;

    /// <summary>Writes the section <c>scheduler</c>.</summary>
    internal void Save(StateWriter writer)
    {
        writer.Begin(Section);
        writer.Write(_options.QuantumNanoseconds);
        writer.Write(_machines.Count);
        writer.Write(Now);
        writer.Write(_fruitless);
        writer.Write(_nextWatch);
        writer.Write(_lastScan);
        writer.Write(_host.LastOwner);
        _reclaim.Save(writer);
        writer.End();
    }

    /// <summary>Reads it back into a scheduler with the same machines, none of which has started.</summary>
    /// <returns>The identity that the host gave last: to be set when every machine is made.</returns>
    internal ushort Load(StateReader reader)
    {
        reader.Open(Section);
        ulong quantum = reader.ReadUInt64("quantum");
        if (quantum != _options.QuantumNanoseconds)
            throw reader.Refuse("quantum", $"is {quantum}, and here it is {_options.QuantumNanoseconds}");
        _ = reader.ReadInt32("machines", _machines.Count, _machines.Count);
        Now = reader.ReadUInt64("now");
        _fruitless = reader.ReadInt32("fruitless", 0, MostFruitlessQuanta);
        _nextWatch = reader.ReadUInt64("nextWatch");
        _lastScan = reader.ReadUInt64("lastScan", 0, Now);
        ushort lastOwner = reader.ReadUInt16("lastOwner");
        _reclaim.Load(reader);
        reader.Close();
        return lastOwner;
    }
}
