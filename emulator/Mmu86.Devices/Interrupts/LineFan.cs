namespace Mmu86.Devices;

/// <summary>A wire that ends in several places: the lines of the ISA bus go to the 8259 pair and to the I/O APIC.</summary>
/// <param name="ends">Where it ends.</param>
public sealed class LineFan(params IReadOnlyList<IInterruptLine> ends) : IInterruptLine
{
    /// <inheritdoc/>
    public void Raise()
    {
        foreach (IInterruptLine end in ends)
            end.Raise();
    }

    /// <inheritdoc/>
    public void Lower()
    {
        foreach (IInterruptLine end in ends)
            end.Lower();
    }
}
