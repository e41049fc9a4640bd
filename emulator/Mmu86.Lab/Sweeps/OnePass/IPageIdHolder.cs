namespace Mmu86.Lab.Sweeps.OnePass;

/// <summary>Whoever keeps ids of a <see cref="PageIdTable"/> and can say which, so that the table may give the others away again.</summary>
internal interface IPageIdHolder
{
    /// <summary>Sets the element of each index that is in use.</summary>
    /// <param name="isHeld">One element an index, all false at the call.</param>
    void MarkHeld(Span<bool> isHeld);
}
