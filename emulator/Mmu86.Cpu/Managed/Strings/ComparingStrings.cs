using System.Numerics;
using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>SCAS: the accumulator less the element at rDI.</summary>
internal readonly unsafe struct ScanString : IStringOperation
{
    public static bool HasSource => false;

    public static bool HasDestination => true;

    public static AccessKind DestinationKind => AccessKind.Read;

    public static bool Compares => true;

    public static bool TryElement<TWidth, TElement>(Vcpu vcpu, ulong source, ulong destination)
        where TWidth : struct, IWidth
        where TElement : unmanaged, IBinaryInteger<TElement>
    {
        if (!vcpu.Data.TryRead(destination, out TElement value))
            return false;
        CpuState* s = vcpu.State;
        _ = Cmp.Compute<TWidth>(TWidth.GetRegister(s, 0), ulong.CreateTruncating(value), ref s->FlagResult, ref s->FlagCarry, ref s->FlagAux);
        return true;
    }

    public static ulong Run<TWidth, TElement>(CpuState* s, byte* source, byte* destination, ulong count, long step, RepeatCondition condition)
        where TWidth : struct, IWidth
        where TElement : unmanaged, IBinaryInteger<TElement>
    {
        ulong accumulator = TWidth.GetRegister(s, 0);
        TElement wanted = TElement.CreateTruncating(accumulator);
        byte* lowest = step > 0 ? destination : destination - ((count - 1) * TWidth.Bytes);
        var elements = new ReadOnlySpan<TElement>(lowest, (int)count);
        int found = (step > 0, condition) switch
        {
            (true, RepeatCondition.WhileNotEqual) => elements.IndexOf(wanted),
            (true, _) => elements.IndexOfAnyExcept(wanted),
            (false, RepeatCondition.WhileNotEqual) => elements.LastIndexOf(wanted),
            (false, _) => elements.LastIndexOfAnyExcept(wanted),
        };
        ulong done = found < 0 ? count : step > 0 ? (ulong)found + 1 : count - (ulong)found;
        ulong last = TWidth.Load(destination + ((long)(done - 1) * step));
        _ = Cmp.Compute<TWidth>(accumulator, last, ref s->FlagResult, ref s->FlagCarry, ref s->FlagAux);
        return done;
    }
}

/// <summary>CMPS: the element at rSI less the element at rDI.</summary>
internal readonly unsafe struct CompareStrings : IStringOperation
{
    public static bool HasSource => true;

    public static bool HasDestination => true;

    public static AccessKind DestinationKind => AccessKind.Read;

    public static bool Compares => true;

    public static bool TryElement<TWidth, TElement>(Vcpu vcpu, ulong source, ulong destination)
        where TWidth : struct, IWidth
        where TElement : unmanaged, IBinaryInteger<TElement>
    {
        if (!vcpu.Data.TryRead(source, out TElement first) || !vcpu.Data.TryRead(destination, out TElement second))
            return false;
        CpuState* s = vcpu.State;
        _ = Cmp.Compute<TWidth>(ulong.CreateTruncating(first), ulong.CreateTruncating(second), ref s->FlagResult, ref s->FlagCarry, ref s->FlagAux);
        return true;
    }

    public static ulong Run<TWidth, TElement>(CpuState* s, byte* source, byte* destination, ulong count, long step, RepeatCondition condition)
        where TWidth : struct, IWidth
        where TElement : unmanaged, IBinaryInteger<TElement>
    {
        ulong done;
        if (step > 0 && condition == RepeatCondition.WhileEqual)
        {
            var first = new ReadOnlySpan<TElement>(source, (int)count);
            int equal = first.CommonPrefixLength(new ReadOnlySpan<TElement>(destination, (int)count));
            done = Math.Min((ulong)equal + 1, count);
        }
        else
        {
            done = Search<TWidth>(source, destination, count, step, condition);
        }

        long last = (long)(done - 1) * step;
        _ = Cmp.Compute<TWidth>(TWidth.Load(source + last), TWidth.Load(destination + last), ref s->FlagResult, ref s->FlagCarry, ref s->FlagAux);
        return done;
    }

    private static ulong Search<TWidth>(byte* source, byte* destination, ulong count, long step, RepeatCondition condition)
        where TWidth : struct, IWidth
    {
        ulong done = 0;
        bool equal;
        do
        {
            equal = TWidth.Load(source) == TWidth.Load(destination);
            source += step;
            destination += step;
            done++;
        }
        while (done < count && equal == (condition == RepeatCondition.WhileEqual));
        return done;
    }
}
