namespace Mmu86.Devices;

/// <summary>A wire that ends nowhere: for devices of a machine without interrupt controllers.</summary>
public sealed class UnconnectedLine : IInterruptLine
{
    /// <inheritdoc/>
    public void Raise()
    {
    }

    /// <inheritdoc/>
    public void Lower()
    {
    }
}
