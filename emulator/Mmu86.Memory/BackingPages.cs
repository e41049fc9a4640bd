namespace Mmu86.Memory;

/// <summary>Which pages of the real machine back the emulated host's memory.</summary>
public enum BackingPages
{
    /// <summary>Large ones where they are to be had: memory that is used densely.</summary>
    Large,

    /// <summary>Small ones: memory of which a frame is used here and there.</summary>
    Small,
}
