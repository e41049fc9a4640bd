namespace Mmu86.Cpu;

/// <summary>Handlers of XADD and CMPXCHG.</summary>
internal static unsafe class AtomicSelector
{
    public static nint ExchangeAdd(ref Selection x) => x.RegisterBytes(1) switch
    {
        1 => ExchangeAdd<W8>(ref x),
        2 => ExchangeAdd<W16>(ref x),
        4 => ExchangeAdd<W32>(ref x),
        _ => ExchangeAdd<W64>(ref x),
    };

    public static nint CompareExchange(ref Selection x) => x.RegisterBytes(1) switch
    {
        1 => CompareExchange<W8>(ref x),
        2 => CompareExchange<W16>(ref x),
        4 => CompareExchange<W32>(ref x),
        _ => CompareExchange<W64>(ref x),
    };

    private static nint ExchangeAdd<TWidth>(ref Selection x)
        where TWidth : struct, IWidth
    {
        x.Op->Source = x.Register(1);
        if (x.IsRegister(0))
        {
            x.Op->Destination = x.Register(0);
            return Handlers.Of(&Atomics<TWidth>.ExchangeAddRegister);
        }

        CountModification(ref x);
        return x.Memory() switch
        {
            AddressKind.Base => Handlers.Of(&AtomicsMemory<FilteredMemory, BaseAddress, TWidth>.ExchangeAdd),
            AddressKind.Indexed => Handlers.Of(&AtomicsMemory<FilteredMemory, IndexedAddress, TWidth>.ExchangeAdd),
            AddressKind.Segmented => Handlers.Of(&AtomicsMemory<FilteredMemory, SegmentedAddress, TWidth>.ExchangeAdd),
            _ => Handlers.Of(&AtomicsMemory<FilteredMemory, CheckedAddress, TWidth>.ExchangeAdd),
        };
    }

    private static nint CompareExchange<TWidth>(ref Selection x)
        where TWidth : struct, IWidth
    {
        x.Op->Source = x.Register(1);
        if (x.IsRegister(0))
        {
            x.Op->Destination = x.Register(0);
            return Handlers.Of(&Atomics<TWidth>.CompareExchangeRegister);
        }

        CountModification(ref x);
        return x.Memory() switch
        {
            AddressKind.Base => Handlers.Of(&AtomicsMemory<FilteredMemory, BaseAddress, TWidth>.CompareExchange),
            AddressKind.Indexed => Handlers.Of(&AtomicsMemory<FilteredMemory, IndexedAddress, TWidth>.CompareExchange),
            AddressKind.Segmented => Handlers.Of(&AtomicsMemory<FilteredMemory, SegmentedAddress, TWidth>.CompareExchange),
            _ => Handlers.Of(&AtomicsMemory<FilteredMemory, CheckedAddress, TWidth>.CompareExchange),
        };
    }

    private static void CountModification(ref Selection x)
    {
        x.Loads = 1;
        x.Stores = 1;
        x.ReadModifyWrites = 1;
    }
}
