namespace Mmu86.TestKit.Paging;

/// <summary>SRRIP-HP with two bits, step by step as its paper has it: search for a 3 from way 0; none found, all go up by one, and again.</summary>
public sealed class ReferenceSrrip(int ways) : IReferencePolicy
{
    private readonly int[] _predictions = new int[ways];

    /// <inheritdoc/>
    public void Hit(int way) => _predictions[way] = 0;

    /// <inheritdoc/>
    public void Filled(int way) => _predictions[way] = 2;

    /// <inheritdoc/>
    public int Victim()
    {
        while (!_predictions.Contains(3))
        {
            for (int way = 0; way < ways; way++)
                _predictions[way]++;
        }

        return Array.IndexOf(_predictions, 3);
    }
}
