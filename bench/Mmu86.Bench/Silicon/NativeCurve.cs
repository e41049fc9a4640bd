using System.Diagnostics;
using Mmu86.GuestPrograms;
using Mmu86.X86;

namespace Mmu86.Bench.Silicon;

/// <summary>Cycles a step of the same chase and the same chain as the guests', on the processor below.</summary>
/// <remarks>
/// Cycles are those of the core, whatever its clock rate is: before each measurement a loop is timed whose cycles are known. Of several
/// measurements of both the least counts: whatever else there is can only add.
/// </remarks>
internal sealed unsafe class NativeCurve : IDisposable
{
    private const int Repetitions = 9;
    private const ulong LeastSteps = 200_000, Rounds = 20, CalibrationTurns = 20_000;

    private readonly NativeCode _code = new();

    /// <summary>Cycles a step of <c>line-chase</c>.</summary>
    public double Chase(int pages, PageSize page)
    {
        using var memory = new NativePages((ulong)pages * page.Bytes(), page == PageSize.Size2M);
        ulong[] successors = ChaseOrder.Successors((ulong)pages);
        for (int i = 0; i < pages; i++)
            *(byte**)Node(memory, (ulong)i, page.Bytes()) = Node(memory, successors[i], page.Bytes());
        ulong steps = Math.Max(LeastSteps, Rounds * (ulong)pages);
        return Least(_code.Chase, (nint)memory.Start, steps) / steps;
    }

    /// <summary>Cycles a jump of <c>jump-chain</c>, in pages of 4 KiB.</summary>
    public double Chain(int pages, int stride)
    {
        ulong distance = (ulong)stride * PageSize.Size4K.Bytes();
        using var memory = new NativePages((ulong)pages * distance, isHuge: false);
        for (int i = 0; i < pages - 1; i++)
        {
            byte* node = At(i);
            JumpNodes.WriteJump(new Span<byte>(node, JumpNodes.Last.Length), At(i + 1) - node);
        }

        JumpNodes.Last.CopyTo(new Span<byte>(At(pages - 1), JumpNodes.Last.Length));
        memory.MakeExecutable();
        ulong rounds = Math.Max(Rounds, LeastSteps / (ulong)pages);
        return Least(_code.Chain, (nint)memory.Start, rounds) / (rounds * (ulong)pages);

        byte* At(int page) => memory.Start + ((ulong)page * distance) + SpreadLines.OffsetOf((ulong)page, PageSize.Size4K.Bytes());
    }

    /// <inheritdoc/>
    public void Dispose() => _code.Dispose();

    private static byte* Node(NativePages memory, ulong page, ulong pageBytes) => memory.Start + (page * pageBytes) + SpreadLines.OffsetOf(page, pageBytes);

    // The cycles of a call.
    private double Least(delegate* unmanaged<nint, ulong, void> function, nint start, ulong count)
    {
        Time(function, start, count);
        double least = double.MaxValue, leastTurn = double.MaxValue;
        for (int i = 0; i < Repetitions; i++)
        {
            leastTurn = Math.Min(leastTurn, Time(_code.Count, start, CalibrationTurns) / CalibrationTurns);
            least = Math.Min(least, Time(function, start, count));
        }

        return least / leastTurn * NativeCode.CyclesOfATurn;
    }

    private static double Time(delegate* unmanaged<nint, ulong, void> function, nint start, ulong count)
    {
        long before = Stopwatch.GetTimestamp();
        function(start, count);
        return Stopwatch.GetTimestamp() - before;
    }
}
