using Mmu86.X86;

namespace Mmu86.Hypervisor.Frames;

/// <summary>A value for each frame of the host, kept in pieces that are made when they are first written: hosts are large and mostly untouched.</summary>
/// <typeparam name="T">The value; the default stands for frames never written.</typeparam>
internal sealed class FrameTable<T>
    where T : unmanaged
{
    private const int PieceShift = 15; // 128 MiB of frames

    private readonly T[]?[] _pieces;

    /// <summary>Makes a table.</summary>
    /// <param name="frames">One more than the highest frame number.</param>
    public FrameTable(ulong frames) => _pieces = new T[(frames >> PieceShift) + 1][];

    /// <summary>The value of a frame.</summary>
    public T this[HostFrameNumber frame]
    {
        get => _pieces[frame.Value >> PieceShift] is { } piece ? piece[frame.Value & ((1 << PieceShift) - 1)] : default;
        set => (_pieces[frame.Value >> PieceShift] ??= new T[1 << PieceShift])[frame.Value & ((1 << PieceShift) - 1)] = value;
    }
}
