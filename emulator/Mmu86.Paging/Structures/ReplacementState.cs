using System.Numerics;
using System.Runtime.CompilerServices;
using Mmu86.Memory;

namespace Mmu86.Paging;

/// <summary>What one array remembers in order to choose a victim.</summary>
/// <remarks>
/// For LRU and FIFO a stamp for each entry; for the tree policies a word for each set, on which touching a way is
/// <c>word = (word &amp; keep[way]) | point[way]</c>. So touching the way touched last changes nothing, which the filter relies on
/// (ReplacementTests.Touch_MostRecentWayAgain_ChangesNoVictim holds it for every policy that the filter serves).
/// A tree is a heap: node 1 is the root, node i has the children 2i and 2i+1, and its bit says on which side the victim is.
/// </remarks>
internal unsafe struct ReplacementState
{
    // The two low bits of a word of Mru3Plru are the group used last; trees follow.
    private const int GroupBits = 2;

    private Replacement _policy;
    private int _stride;
    private int _ways;
    private ulong* _words;
    private int _wordCount;
    private ulong* _keep;
    private ulong* _point;
    private ulong _clock;
    private ulong _random;
    private NotRecentlyUsed _reference;
    private ReferencePrediction _prediction;
    private PermutationOrder _order;

    // Where a hit of the entry used last may change something: its owner's notes of who was used last, which must not name it. Else null.
    private int* _unsettled;

    /// <summary>Whether a hit changes nothing that decides a victim.</summary>
    public readonly bool IgnoresHits => _policy is Replacement.Fifo or Replacement.Random;

    /// <summary>Whether the first hit behind a fill changes nothing: the entry filled counts as used.</summary>
    public readonly bool FillsAreHits => _policy != Replacement.Srrip && _unsettled == null;

    /// <summary>Whether hits of two entries in turn (a, b, a, b ...) change nothing behind the first pair.</summary>
    public readonly bool IgnoresAlternation => _policy < Replacement.Nru;

    /// <summary>Prepares the state of an array.</summary>
    /// <param name="arena">Where it lives.</param>
    /// <param name="configuration">The policy; the geometry must suit it (<see cref="Geometry"/>).</param>
    /// <param name="sets">Sets.</param>
    /// <param name="ways">Ways.</param>
    /// <param name="stride">Distance between the first entries of neighbouring sets.</param>
    /// <param name="seed">For random replacement.</param>
    /// <param name="skew">The index of a skewed array, which counts as one set here; else null.</param>
    public void Initialize(Arena arena, TlbArrayConfiguration configuration, int sets, int ways, int stride, ulong seed, SkewedIndex* skew)
    {
        Replacement policy = configuration.Replacement;
        _policy = policy;
        _ways = ways;
        _stride = stride;
        // xorshift never leaves zero.
        _random = seed == 0 ? 0x9E37_79B9_7F4A_7C15 : seed;
        switch (policy)
        {
            case Replacement.Lru:
            case Replacement.Fifo:
                _wordCount = sets * stride;
                _words = arena.Allocate<ulong>(_wordCount);
                break;
            case Replacement.TreePlru:
                _wordCount = sets;
                _words = arena.Allocate<ulong>(_wordCount);
                PrepareTrees(arena, ways, groups: 1);
                break;
            case Replacement.Mru3Plru:
                _wordCount = sets;
                _words = arena.Allocate<ulong>(_wordCount);
                PrepareTrees(arena, ways / 3, groups: 3);
                break;
            case Replacement.Random:
                break;
            case Replacement.Nru:
                _reference.Initialize(arena, sets, ways, stride, skew);
                break;
            case Replacement.Srrip:
                _prediction.Initialize(arena, sets, ways, stride);
                break;
            case Replacement.Permutation:
                _order.Initialize(arena, configuration.Permutations!, sets, ways, stride);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(policy), policy, "Not a replacement policy.");
        }
    }

    /// <summary>A hit of the entry used last may change something: whoever notes it, so as not to touch it again, has his note taken away.</summary>
    /// <param name="recent">Of each set, the entry used last.</param>
    public void Unsettle(int* recent) => _unsettled = recent;

    /// <summary>A hit used a way.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Touch(int set, int way)
    {
        if (_keep != null)
            _words[set] = (_words[set] & _keep[way]) | _point[way];
        else if (_policy == Replacement.Lru)
            _words[(set * _stride) + way] = ++_clock;
        else if (_policy >= Replacement.Nru)
            TouchOther(set, way);
    }

    /// <summary>A hit used an entry, named by its index.</summary>
    /// <returns>False, and nothing is done, unless the policy is LRU: <see cref="Touch"/> is for all.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryStamp(int entry)
    {
        if (_policy != Replacement.Lru)
            return false;
        _words[entry] = ++_clock;
        return true;
    }

    /// <summary>A fill used a way.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Fill(int set, int way)
    {
        if (_keep != null)
            _words[set] = (_words[set] & _keep[way]) | _point[way];
        else if (_policy < Replacement.Random)
            _words[(set * _stride) + way] = ++_clock;
        else
            FillOther(set, way);
    }

    /// <summary>The way of a full set that gives way.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Victim(int set) => _policy == Replacement.TreePlru ? Descend(_words[set], _ways) : OtherVictim(set);

    /// <summary>The entry that gives way among those of a skewed array that a page may be in, all of them full.</summary>
    public int Victim(in SkewedIndex skew, ulong pageNumber)
    {
        if (_policy == Replacement.Nru)
            return _reference.Victim(skew, pageNumber);
        if (_policy == Replacement.Random)
            return skew.EntryOf(pageNumber, (int)(NextRandom() % (uint)skew.Ways));
        int oldest = skew.EntryOf(pageNumber, 0);
        for (int way = 1; way < skew.Ways; way++)
        {
            int entry = skew.EntryOf(pageNumber, way);
            if (_words[entry] < _words[oldest])
                oldest = entry;
        }

        return oldest;
    }

    /// <summary>Writes everything that decides a victim.</summary>
    public readonly void Save(StateWriter writer)
    {
        writer.Write(_clock);
        writer.Write(_random);
        writer.WriteArray<ulong>(Words);
        if (_policy == Replacement.Nru)
            _reference.Save(writer);
        else if (_policy == Replacement.Srrip)
            _prediction.Save(writer);
        else if (_policy == Replacement.Permutation)
            _order.Save(writer);
    }

    /// <summary>Reads it back.</summary>
    public void Load(StateReader reader)
    {
        _clock = reader.ReadUInt64("clock");
        _random = reader.ReadUInt64("random", 1, ulong.MaxValue);
        reader.ReadArray("words", Words);
        if (_policy == Replacement.Nru)
            _reference.Load(reader);
        else if (_policy == Replacement.Srrip)
            _prediction.Load(reader);
        else if (_policy == Replacement.Permutation)
            _order.Load(reader);
        if (_policy != Replacement.Mru3Plru)
            return;
        foreach (ulong word in Words)
        {
            if ((word & 3) == 3)
                throw reader.Refuse("words", "names a group that there is not");
        }
    }

    // SAFETY: as many as Initialize allocated; none where the policy keeps its state elsewhere.
    private readonly Span<ulong> Words => new(_words, _wordCount);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly void TouchOther(int set, int way)
    {
        if (_policy == Replacement.Nru)
            _reference.Touch(set, way);
        else if (_policy == Replacement.Srrip)
            _prediction.Touch(set, way);
        else
            _order.Touch(set, way);
        if (_unsettled != null)
            _unsettled[set] = -1;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly void FillOther(int set, int way)
    {
        if (_policy == Replacement.Nru)
            _reference.Touch(set, way);
        else if (_policy == Replacement.Srrip)
            _prediction.Fill(set, way);
        else if (_policy == Replacement.Permutation)
            _order.Fill(set, way);
    }

    private int OtherVictim(int set)
    {
        switch (_policy)
        {
            case Replacement.Lru:
            case Replacement.Fifo:
                return Oldest(_words + ((long)set * _stride));
            case Replacement.Mru3Plru:
                int ways = _ways / 3;
                int group = (int)(_words[set] & 3) + 1;
                if (group == 3)
                    group = 0;
                return (group * ways) + Descend(_words[set] >> (GroupBits + (group * (ways - 1))), ways);
            case Replacement.Nru:
                return _reference.Victim(set);
            case Replacement.Srrip:
                return _prediction.Victim(set);
            case Replacement.Permutation:
                return _order.Victim(set);
            default:
                return (int)(NextRandom() % (uint)_ways);
        }
    }

    // Bit i-1 is node i; 0 says that the victim is on the left.
    private static int Descend(ulong tree, int ways)
    {
        int node = 1;
        while (node < ways)
            node = (2 * node) + (int)((tree >> (node - 1)) & 1);
        return node - ways;
    }

    private readonly int Oldest(ulong* stamps)
    {
        int oldest = 0;
        for (int way = 1; way < _ways; way++)
        {
            if (stamps[way] < stamps[oldest])
                oldest = way;
        }

        return oldest;
    }

    private ulong NextRandom()
    {
        _random ^= _random << 13;
        _random ^= _random >> 7;
        _random ^= _random << 17;
        // The high bits of xorshift are the better ones.
        return _random >> 32;
    }

    private void PrepareTrees(Arena arena, int ways, int groups)
    {
        int depth = BitOperations.Log2((uint)ways);
        _keep = arena.Allocate<ulong>(ways * groups);
        _point = arena.Allocate<ulong>(ways * groups);
        for (int group = 0; group < groups; group++)
        {
            int shift = groups == 1 ? 0 : GroupBits + (group * (ways - 1));
            for (int way = 0; way < ways; way++)
            {
                ulong path = 0;
                ulong away = 0;
                int node = 1;
                for (int level = depth - 1; level >= 0; level--)
                {
                    int side = (way >> level) & 1;
                    path |= 1UL << (node - 1);
                    if (side == 0)
                        away |= 1UL << (node - 1);
                    node = (2 * node) + side;
                }

                ulong groupMask = groups == 1 ? 0UL : 3;
                _keep[(group * ways) + way] = ~((path << shift) | groupMask);
                _point[(group * ways) + way] = (away << shift) | (groupMask & (ulong)group);
            }
        }
    }
}
