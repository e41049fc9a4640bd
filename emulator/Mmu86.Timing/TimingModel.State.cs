using Mmu86.Cpu;
using Mmu86.Memory;

namespace Mmu86.Timing;

/// <content>What of the model is saved.</content>
public sealed partial class TimingModel
{
    private const string Section = "timing";

    /// <summary>Writes the section <c>timing</c>: caches, what is under way, the clock.</summary>
    public void SaveState(StateWriter writer)
    {
        writer.Begin(Section);
        _caches.Save(writer);
        writer.WriteArray<ulong>(_known);
        writer.Write(_awaited);
        writer.WriteArray<ulong>([_clock, _done, _loaded, _walkCycles, _walk]);
        writer.Write(_accesses);
        writer.Write(_facts.Reads);
        writer.Write(_facts.Addresses);
        writer.Write(_facts.Writes);
        writer.Write(_facts.Length);
        writer.Write(_facts.AccessBytes);
        writer.Write((byte)_facts.Traits);
        writer.WriteArray<ulong>(_underWay);
        writer.Write(_oldest);
        writer.WriteArray<ulong>(_walkers);
        writer.WriteArray<ulong>(_referenceHits);
        writer.End();
    }

    /// <summary>Reads it back. The model has timed nothing yet.</summary>
    /// <remarks>
    /// Caches are found by host-physical addresses. Where the machine has other frames than it had, they are empty instead: what it had cached it meets again
    /// in memory, as a machine does that moved to another processor.
    /// </remarks>
    public void LoadState(StateReader reader)
    {
        reader.Open(Section);
        _caches.Load(reader);
        reader.ReadArray<ulong>("known", _known);
        _awaited = reader.ReadUInt32("awaited");
        Span<ulong> words = stackalloc ulong[5];
        reader.ReadArray("clock", words);
        (_clock, _done, _loaded, _walkCycles, _walk) = (words[0], words[1], words[2], words[3], words[4]);
        _accesses = reader.ReadInt32("accesses", 0, int.MaxValue);
        _facts = new InstructionFacts
        {
            Reads = reader.ReadUInt32("reads"),
            Addresses = reader.ReadUInt32("addresses"),
            Writes = reader.ReadUInt32("writes"),
            Length = reader.ReadByte("length"),
            AccessBytes = reader.ReadByte("accessBytes"),
            Traits = (InstructionTraits)reader.ReadByte("traits"),
        };
        reader.ReadArray<ulong>("underWay", _underWay);
        _oldest = reader.ReadInt32("oldest", 0, _underWay.Length - 1);
        reader.ReadArray<ulong>("walkers", _walkers);
        reader.ReadArray<ulong>("referenceHits", _referenceHits);
        reader.Close();
    }
}
