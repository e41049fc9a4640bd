namespace Mmu86.Hypervisor.Snapshots;

/// <summary>A page of a snapshot cannot be put where it belongs, on a swap device or a guest's disk: the snapshot is not to blame.</summary>
public sealed class RestoredPageException : IOException
{
    /// <summary>Makes one.</summary>
    /// <param name="message">A sentence without full stop.</param>
    public RestoredPageException(string message)
        : base(message)
    {
    }
}
