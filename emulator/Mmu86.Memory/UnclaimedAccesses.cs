namespace Mmu86.Memory;

/// <summary>What a guest asked of ports, addresses or registers where nobody is: how often, and from where first. What is absent gets a name by it.</summary>
public sealed class UnclaimedAccesses
{
    /// <summary>The most places told apart: a guest that looks through an address space must not fill ours.</summary>
    public const int MostPlaces = 256;

    private readonly SortedDictionary<ulong, UnclaimedAccess> _places = [];

    /// <summary>Asked for the address of the instruction in progress; null where nobody knows.</summary>
    public Func<ulong>? InstructionPointer { get; set; }

    /// <summary>The places, ascending.</summary>
    public IReadOnlyDictionary<ulong, UnclaimedAccess> Places => _places;

    /// <summary>Reads of all places.</summary>
    public ulong Reads { get; private set; }

    /// <summary>Writes of all places.</summary>
    public ulong Writes { get; private set; }

    /// <summary>A read found nobody.</summary>
    public void NoteRead(ulong place)
    {
        Reads++;
        Note(place, reads: 1, writes: 0);
    }

    /// <summary>A write found nobody.</summary>
    public void NoteWrite(ulong place)
    {
        Writes++;
        Note(place, reads: 0, writes: 1);
    }

    /// <summary>Writes what was noted.</summary>
    public void Save(StateWriter writer)
    {
        writer.Write(Reads);
        writer.Write(Writes);
        writer.Write(_places.Count);
        foreach ((ulong place, UnclaimedAccess use) in _places)
            writer.WriteArray<ulong>([place, use.Reads, use.Writes, use.FirstInstruction]);
    }

    /// <summary>Reads it back.</summary>
    /// <param name="reader">The state.</param>
    /// <param name="name">What these accesses are called where something is wrong.</param>
    public void Load(StateReader reader, string name)
    {
        reader.Enter(name);
        _places.Clear();
        Reads = reader.ReadUInt64("reads");
        Writes = reader.ReadUInt64("writes");
        Span<ulong> words = stackalloc ulong[4];
        for (int left = reader.ReadInt32("places", 0, MostPlaces); left > 0; left--)
        {
            reader.ReadArray("place", words);
            if (!_places.TryAdd(words[0], new UnclaimedAccess(words[1], words[2], words[3])))
                throw reader.Refuse("place", $"0x{words[0]:x} is there twice");
        }

        reader.Leave();
    }

    private void Note(ulong place, ulong reads, ulong writes)
    {
        if (_places.TryGetValue(place, out UnclaimedAccess seen))
            _places[place] = seen with { Reads = seen.Reads + reads, Writes = seen.Writes + writes };
        else if (_places.Count < MostPlaces)
            _places[place] = new UnclaimedAccess(reads, writes, InstructionPointer?.Invoke() ?? 0);
    }
}

/// <summary>The use of one place.</summary>
/// <param name="Reads">How often it was read.</param>
/// <param name="Writes">How often it was written.</param>
/// <param name="FirstInstruction">RIP of the first instruction that used it.</param>
public readonly record struct UnclaimedAccess(ulong Reads, ulong Writes, ulong FirstInstruction);
