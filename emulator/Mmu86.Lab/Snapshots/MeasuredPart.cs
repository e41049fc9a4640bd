using Mmu86.Cpu;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Memory;

namespace Mmu86.Lab.Snapshots;

/// <summary>The part of a run between the markers: the first begin and the first end behind it count.</summary>
internal sealed class MeasuredPart
{
    private const string Section = "measured";

    private CountsMoment? _begin;
    private CountsMoment? _end;

    /// <summary>The guest passed a marker.</summary>
    /// <returns>Whether it is one that counts.</returns>
    public bool Pass(uint marker, GuestMachine machine)
    {
        if (marker == Markers.Begin && _begin is null)
            _begin = CountsMoment.Of(machine);
        else if (marker != Markers.Begin && _begin is not null && _end is null)
            _end = CountsMoment.Of(machine);
        else
            return false;
        return true;
    }

    /// <summary>What was counted in it; null where it has not ended.</summary>
    public RunCounts? Read(RunCountsReader reader) => _end is null ? null : _end.Read(reader).Since(_begin!.Read(reader));

    /// <summary>Writes the section <c>measured</c>.</summary>
    public void SaveState(StateWriter writer)
    {
        writer.Begin(Section);
        foreach (CountsMoment? moment in (ReadOnlySpan<CountsMoment?>)[_begin, _end])
        {
            writer.Write(moment is not null);
            moment?.Save(writer);
        }

        writer.End();
    }

    /// <summary>Reads it back.</summary>
    public void LoadState(StateReader reader)
    {
        reader.Open(Section);
        _begin = reader.ReadBoolean("hasBegun") ? CountsMoment.Load(reader) : null;
        _end = reader.ReadBoolean("hasEnded") ? CountsMoment.Load(reader) : null;
        if (_end is not null && _begin is null)
            throw reader.Refuse("hasEnded", "is 1, and it has not begun");
        reader.Close();
    }
}
