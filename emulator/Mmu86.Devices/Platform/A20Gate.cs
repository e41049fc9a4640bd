namespace Mmu86.Devices;

/// <summary>The gate of address line 20: its state, as guests set it and read it back. Addresses are never masked.</summary>
public sealed class A20Gate
{
    /// <summary>Whether addresses above 1 MiB are meant to be reachable. Open from the start, as firmware leaves it.</summary>
    public bool IsOpen { get; set; } = true;
}
