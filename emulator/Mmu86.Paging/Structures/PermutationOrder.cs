using Mmu86.Memory;

namespace Mmu86.Paging;

/// <summary>The state of <see cref="Replacement.Permutation"/>: of each set, the list of its ways, the next victim first.</summary>
/// <remarks>
/// Abel and Reineke, "Measurement-based Modeling of the Cache Replacement Policy" (RTAS 2013), who number the positions the other way round: the
/// last is their victim. They say nothing of a fill of a way that an invalidation emptied. Here it is a hit of its position where the
/// policy takes fills for hits (the last permutation is that of position 0), as trees and LRU do; else the way comes to the front first.
/// </remarks>
internal unsafe struct PermutationOrder
{
    private byte* _order;
    private byte* _permutations;
    private byte* _scratch;
    private int _sets;
    private int _ways;
    private int _stride;
    private bool _fillsAreHits;

    /// <summary>Whether using the way used last again changes nothing, whatever came before.</summary>
    public static bool IsSettled(IReadOnlyList<IReadOnlyList<int>> permutations)
    {
        for (int i = 0; i < permutations.Count; i++)
        {
            // Where it lands, and what another hit there would do.
            int before = i == permutations.Count - 1 ? 0 : i;
            IReadOnlyList<int> again = permutations[permutations[i].TakeWhile(position => position != before).Count()];
            if (again.Where((position, j) => position != j).Any())
                return false;
        }

        return true;
    }

    /// <summary>Prepares the state of an array.</summary>
    public void Initialize(Arena arena, IReadOnlyList<IReadOnlyList<int>> permutations, int sets, int ways, int stride)
    {
        _sets = sets;
        _ways = ways;
        _stride = stride;
        _order = arena.Allocate<byte>((long)sets * stride);
        _scratch = arena.Allocate<byte>(ways);
        _permutations = arena.Allocate<byte>((ways + 1) * ways);
        _fillsAreHits = permutations[ways].SequenceEqual(permutations[0]);
        for (int i = 0; i <= ways; i++)
        {
            for (int j = 0; j < ways; j++)
                _permutations[(i * ways) + j] = (byte)permutations[i][j];
        }

        for (int set = 0; set < sets; set++)
        {
            for (int way = 0; way < ways; way++)
                _order[((long)set * stride) + way] = (byte)way;
        }
    }

    /// <summary>A hit used a way.</summary>
    public readonly void Touch(int set, int way)
    {
        Span<byte> order = Order(set);
        Permute(order, order.IndexOf((byte)way));
    }

    /// <summary>A fill used a way.</summary>
    public readonly void Fill(int set, int way)
    {
        Span<byte> order = Order(set);
        int position = order.IndexOf((byte)way);
        if (_fillsAreHits)
        {
            Permute(order, position);
            return;
        }

        order[..position].CopyTo(order[1..]);
        order[0] = (byte)way;
        Permute(order, _ways);
    }

    /// <summary>The way at the front.</summary>
    public readonly int Victim(int set) => _order[(long)set * _stride];

    /// <summary>Writes the lists.</summary>
    public readonly void Save(StateWriter writer)
    {
        for (int set = 0; set < _sets; set++)
            writer.WriteArray<byte>(Order(set));
    }

    /// <summary>Reads them back.</summary>
    public readonly void Load(StateReader reader)
    {
        for (int set = 0; set < _sets; set++)
        {
            reader.ReadArray("order", Order(set));
            ulong seen = 0;
            foreach (byte way in Order(set))
                seen |= way < _ways ? 1UL << way : 0;
            if (seen != ulong.MaxValue >> (64 - _ways))
                throw reader.Refuse("order", $"of set {set} does not have each way once");
        }
    }

    private readonly Span<byte> Order(int set) => new(_order + ((long)set * _stride), _ways);

    private readonly void Permute(Span<byte> order, int number)
    {
        Span<byte> old = new(_scratch, _ways);
        order.CopyTo(old);
        byte* permutation = _permutations + (number * _ways);
        for (int j = 0; j < order.Length; j++)
            order[j] = old[permutation[j]];
    }
}
