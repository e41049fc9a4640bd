namespace Mmu86.Hypervisor;

/// <summary>A number for each frame of a guest, zero where nothing is noted.</summary>
/// <remarks>Room is taken for 512 frames at a time, for which there is a nested table too, and found by the frame's number: what is asked of neighbours is in the same lines of
/// the real machine's cache.</remarks>
internal sealed class FrameNotes
{
    private const int PieceShift = 9;
    private const ulong PieceMask = (1UL << PieceShift) - 1;

    private ulong[]?[] _pieces = [];

    /// <summary>The note of a frame, to be written.</summary>
    public ref ulong this[ulong frame]
    {
        get
        {
            ulong piece = frame >> PieceShift;
            if (piece >= (ulong)_pieces.Length)
                Array.Resize(ref _pieces, (int)Math.Max(piece + 1, 2 * (ulong)_pieces.Length));
            return ref (_pieces[piece] ??= new ulong[1 << PieceShift])[frame & PieceMask];
        }
    }

    /// <summary>The note of a frame; no room is taken for it.</summary>
    public ulong Read(ulong frame)
    {
        ulong piece = frame >> PieceShift;
        return piece < (ulong)_pieces.Length && _pieces[piece] is { } notes ? notes[frame & PieceMask] : 0;
    }

    /// <summary>What is noted, in ascending order of frames.</summary>
    public IEnumerable<(ulong Frame, ulong Note)> All()
    {
        for (int piece = 0; piece < _pieces.Length; piece++)
        {
            for (int i = 0; i < (_pieces[piece]?.Length ?? 0); i++)
            {
                if (_pieces[piece]![i] != 0)
                    yield return (((ulong)piece << PieceShift) + (ulong)i, _pieces[piece]![i]);
            }
        }
    }

    /// <summary>Forgets everything, and gives up the room.</summary>
    public void Clear() => _pieces = [];
}
