namespace Mmu86.Devices;

/// <summary>A crystal of its own frequency beside the virtual clock: converts moments of one to moments of the other.</summary>
/// <param name="clockFrequency">Ticks of the virtual clock in one second.</param>
/// <param name="frequency">Cycles of the crystal in one second.</param>
internal readonly struct Oscillator(ulong clockFrequency, ulong frequency)
{
    /// <summary>How many whole cycles have passed at a moment of the clock.</summary>
    public ulong CyclesAt(ulong ticks) => (ulong)((UInt128)ticks * frequency / clockFrequency);

    /// <summary>The first moment of the clock at which so many cycles have passed; <see cref="ulong.MaxValue"/> where the clock never gets there.</summary>
    public ulong TicksAt(ulong cycles)
    {
        if (cycles == ulong.MaxValue)
            return ulong.MaxValue;
        UInt128 ticks = (((UInt128)cycles * clockFrequency) + frequency - 1) / frequency;
        return ticks >= ulong.MaxValue ? ulong.MaxValue : (ulong)ticks;
    }
}
