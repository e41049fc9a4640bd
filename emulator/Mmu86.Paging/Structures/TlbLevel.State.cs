using Mmu86.Memory;

namespace Mmu86.Paging;

/// <content>What of a level is saved.</content>
internal sealed unsafe partial class TlbLevel
{
    /// <summary>Writes its arrays and what was counted of it. Not of a <see cref="Part"/>, whose arrays are those of the whole.</summary>
    public void Save(StateWriter writer)
    {
        writer.Write(_totals.Unresolved);
        writer.WriteArray<ulong>(_totals.Unheld);
        foreach (TlbArray* array in _arrays)
            array->Save(writer);
    }

    /// <summary>Reads them back into a level that held nothing yet.</summary>
    public void Load(StateReader reader)
    {
        _totals.Unresolved = reader.ReadUInt64("unresolved");
        reader.ReadArray<ulong>("unheld", _totals.Unheld);
        foreach (TlbArray* array in _arrays)
        {
            reader.Enter($"array{array->Ordinal}");
            array->Load(reader, _arena);
            reader.Leave();
        }
    }

    /// <summary>The number of a lane among those of the level, -1 for none.</summary>
    public int NumberOf(TlbLane* lane)
    {
        for (int number = 0; number < _arrays.Length * TlbArray.LaneCount; number++)
        {
            if (lane != null && LaneAt(number) == lane)
                return number;
        }

        return -1;
    }

    /// <summary>The lane of a number from <see cref="NumberOf"/>; null for -1.</summary>
    public TlbLane* ReadLane(StateReader reader, string field)
    {
        int number = reader.ReadInt32(field, -1, (_arrays.Length * TlbArray.LaneCount) - 1);
        TlbLane* lane = number < 0 ? null : LaneAt(number);
        return number < 0 || lane != null ? lane : throw reader.Refuse(field, $"is {number}, and there is no such lane");
    }

    private TlbLane* LaneAt(int number) => _arrays[number / TlbArray.LaneCount]->Lane(number % TlbArray.LaneCount);
}
