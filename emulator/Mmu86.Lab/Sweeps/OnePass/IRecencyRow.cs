namespace Mmu86.Lab.Sweeps.OnePass;

/// <summary>How one set's sixteen most recent positions are searched and moved; 0 is a hole. What the vectors' width is, is all that differs.</summary>
internal interface IRecencyRow
{
    /// <summary>Takes an id out of its position, if it has one, lets the ids above the first hole move down by one, and puts the id in front.</summary>
    /// <param name="row">The first of sixteen ids.</param>
    /// <param name="id">Not 0.</param>
    /// <returns>The position at which it was, or 16.</returns>
    static abstract int Touch(ref uint row, uint id);
}
