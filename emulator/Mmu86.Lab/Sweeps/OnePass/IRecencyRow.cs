namespace Mmu86.Lab.Sweeps.OnePass;

/// <summary>How an id is moved to the front of rows: a set's sixteen most recent positions, 0 a hole. Only the vectors' width differs.</summary>
/// <typeparam name="TSelf">The type itself.</typeparam>
internal interface IRecencyRow<TSelf>
    where TSelf : struct, IRecencyRow<TSelf>
{
    /// <summary>What <see cref="Touch"/> returns for an id that has no position: where a count of zeros below the lowest bit of no bits ends.</summary>
    const int NoPosition = 32;

    /// <summary>Prepares an id for many rows.</summary>
    /// <param name="id">Not 0.</param>
    static abstract TSelf Of(uint id);

    /// <summary>Takes the id out of its position, if it has one, lets the ids above the first hole move down by one, and puts the id in front.</summary>
    /// <param name="row">The first of sixteen ids.</param>
    /// <returns>The position at which it was, or <see cref="NoPosition"/>.</returns>
    int Touch(ref uint row);

    /// <summary>The same where the id is known to be in position 1: the first two change places.</summary>
    void SwapFirst(ref uint row);
}
