using System.Numerics;
using System.Runtime.CompilerServices;
using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>MOVS.</summary>
internal readonly unsafe struct MoveString : IStringOperation
{
    public static bool HasSource => true;

    public static bool HasDestination => true;

    public static AccessKind DestinationKind => AccessKind.Write;

    public static bool Compares => false;

    public static bool TryElement<TWidth, TElement>(Vcpu vcpu, ulong source, ulong destination)
        where TWidth : struct, IWidth
        where TElement : unmanaged, IBinaryInteger<TElement> =>
        vcpu.Data.TryRead(source, out TElement value) && vcpu.Data.TryWrite(destination, value);

    public static ulong Run<TWidth, TElement>(CpuState* s, byte* source, byte* destination, ulong count, long step, RepeatCondition condition)
        where TWidth : struct, IWidth
        where TElement : unmanaged, IBinaryInteger<TElement>
    {
        ulong bytes = count * TWidth.Bytes;

        // How far the destination runs ahead of the source: where that is less than the run, elements written are read again.
        ulong ahead = (ulong)(step > 0 ? destination - source : source - destination);
        if (ahead - 1 < bytes - 1)
        {
            Propagate<TElement>(source, destination, count, step, ahead);
            return count;
        }

        if (step < 0)
        {
            source -= bytes - TWidth.Bytes;
            destination -= bytes - TWidth.Bytes;
        }

        Buffer.MemoryCopy(source, destination, bytes, bytes);
        return count;
    }

    private static void Propagate<TElement>(byte* source, byte* destination, ulong count, long step, ulong ahead)
        where TElement : unmanaged
    {
        if (step < 0 || ahead < (ulong)sizeof(TElement))
        {
            for (; count != 0; count--)
            {
                Unsafe.WriteUnaligned(destination, Unsafe.ReadUnaligned<TElement>(source));
                source += step;
                destination += step;
            }

            return;
        }

        // The first "ahead" bytes repeat themselves to the end. What is there of the pattern doubles with each copy.
        ulong bytes = count * (ulong)sizeof(TElement);
        ulong done = 0;
        while (done < bytes)
        {
            ulong chunk = Math.Min(ahead + done, bytes - done);
            Buffer.MemoryCopy(source, destination + done, chunk, chunk);
            done += chunk;
        }
    }
}

/// <summary>STOS.</summary>
internal readonly unsafe struct StoreString : IStringOperation
{
    public static bool HasSource => false;

    public static bool HasDestination => true;

    public static AccessKind DestinationKind => AccessKind.Write;

    public static bool Compares => false;

    public static bool TryElement<TWidth, TElement>(Vcpu vcpu, ulong source, ulong destination)
        where TWidth : struct, IWidth
        where TElement : unmanaged, IBinaryInteger<TElement> =>
        vcpu.Data.TryWrite(destination, TElement.CreateTruncating(TWidth.GetRegister(vcpu.State, 0)));

    public static ulong Run<TWidth, TElement>(CpuState* s, byte* source, byte* destination, ulong count, long step, RepeatCondition condition)
        where TWidth : struct, IWidth
        where TElement : unmanaged, IBinaryInteger<TElement>
    {
        if (step < 0)
            destination -= (count - 1) * TWidth.Bytes;
        new Span<TElement>(destination, (int)count).Fill(TElement.CreateTruncating(TWidth.GetRegister(s, 0)));
        return count;
    }
}

/// <summary>LODS.</summary>
internal readonly unsafe struct LoadString : IStringOperation
{
    public static bool HasSource => true;

    public static bool HasDestination => false;

    public static AccessKind DestinationKind => AccessKind.Read;

    public static bool Compares => false;

    public static bool TryElement<TWidth, TElement>(Vcpu vcpu, ulong source, ulong destination)
        where TWidth : struct, IWidth
        where TElement : unmanaged, IBinaryInteger<TElement>
    {
        if (!vcpu.Data.TryRead(source, out TElement value))
            return false;
        TWidth.SetRegister(vcpu.State, 0, ulong.CreateTruncating(value));
        return true;
    }

    // Each element replaces the one before it.
    public static ulong Run<TWidth, TElement>(CpuState* s, byte* source, byte* destination, ulong count, long step, RepeatCondition condition)
        where TWidth : struct, IWidth
        where TElement : unmanaged, IBinaryInteger<TElement>
    {
        TWidth.SetRegister(s, 0, TWidth.Load(source + ((long)(count - 1) * step)));
        return count;
    }
}
