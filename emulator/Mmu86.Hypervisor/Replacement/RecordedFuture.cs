using Mmu86.X86;

namespace Mmu86.Hypervisor.Replacement;

/// <summary>All references of a run, known beforehand: what OPT looks at. Whoever replays them moves it on.</summary>
public sealed class RecordedFuture
{
    /// <summary>The position of a reference that never comes.</summary>
    public const ulong Never = ulong.MaxValue;

    private readonly GuestFrameNumber[] _references;
    private readonly ulong[] _next;
    private readonly Dictionary<GuestFrameNumber, ulong> _upcoming = [];

    /// <summary>Takes the references; stands at the first.</summary>
    public RecordedFuture(ReadOnlySpan<GuestFrameNumber> references)
    {
        _references = references.ToArray();
        _next = new ulong[references.Length];
        for (int at = references.Length - 1; at >= 0; at--)
        {
            _next[at] = _upcoming.GetValueOrDefault(_references[at], Never);
            _upcoming[_references[at]] = (ulong)at;
        }
    }

    /// <summary>The reference under way, from 0; the number of references when all are done.</summary>
    public int Position { get; private set; }

    /// <summary>The reference under way is done.</summary>
    /// <exception cref="InvalidOperationException">All are done.</exception>
    public void Advance()
    {
        if (Position == _references.Length)
            throw new InvalidOperationException("There are no more recorded references.");
        _upcoming[_references[Position]] = _next[Position];
        Position++;
    }

    /// <summary>The frame of a reference.</summary>
    internal GuestFrameNumber FrameAt(int position) => _references[position];

    /// <summary>The position of the next reference to the same frame, or <see cref="Never"/>.</summary>
    internal ulong NextAfter(int position) => _next[position];

    /// <summary>The position of a frame's first reference after the one under way, or <see cref="Never"/>.</summary>
    internal ulong NextUse(GuestFrameNumber frame)
    {
        ulong upcoming = _upcoming.GetValueOrDefault(frame, Never);
        return upcoming == (ulong)Position ? _next[Position] : upcoming;
    }
}
