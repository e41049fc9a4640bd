using Mmu86.Memory;

namespace Mmu86.Hypervisor.Snapshots;

/// <summary>What whoever runs a host keeps beside it, in sections of its own.</summary>
public interface IHostRecords
{
    /// <summary>Writes what is of no machine: the first sections of the file.</summary>
    void Save(StateWriter writer);

    /// <summary>Writes what is kept of a machine.</summary>
    /// <param name="machine">Its index.</param>
    /// <param name="writer">Where to; names of sections are the machine's own.</param>
    void SaveMachine(int machine, StateWriter writer);

    /// <summary>Reads back what is of no machine, before anything is made; it may refuse the snapshot.</summary>
    /// <exception cref="StateFormatException">It is broken, or of another host.</exception>
    void Load(StateReader reader);

    /// <summary>Reads back what is kept of a machine.</summary>
    /// <param name="machine">Its index.</param>
    /// <param name="reader">Where from.</param>
    /// <exception cref="StateFormatException">It is broken.</exception>
    void LoadMachine(int machine, StateReader reader);
}
