namespace Mmu86.Tests.Hypervisor.Replacement;

/// <summary>Johnson and Shasha's 2Q, full version. Heads of lists are at index 0. Where Am is empty and A1in short, A1in gives: the paper leaves it open.</summary>
internal sealed class LiteralTwoQueue(int frames) : ILiteralPolicy
{
    private readonly List<int> _a1In = [];
    private readonly List<int> _a1Out = [];
    private readonly List<int> _am = [];
    private readonly int _kin = frames / 4;
    private readonly int _kout = frames / 2;

    public int Access(int page)
    {
        if (_am.Remove(page))
        {
            _am.Insert(0, page);
            return -1;
        }

        if (_a1Out.Contains(page))
        {
            int victim = ReclaimFor();
            _a1Out.Remove(page);
            _am.Insert(0, page);
            return victim;
        }

        if (_a1In.Contains(page))
            return -1;
        int reclaimed = ReclaimFor();
        _a1In.Insert(0, page);
        return reclaimed;
    }

    private int ReclaimFor()
    {
        if (_a1In.Count + _am.Count < frames)
            return -1;
        int victim;
        if (_a1In.Count > _kin || _am.Count == 0)
        {
            victim = TakeTail(_a1In);
            _a1Out.Insert(0, victim);
            if (_a1Out.Count > _kout)
                TakeTail(_a1Out);
        }
        else
        {
            victim = TakeTail(_am);
        }

        return victim;
    }

    private static int TakeTail(List<int> list)
    {
        int tail = list[^1];
        list.RemoveAt(list.Count - 1);
        return tail;
    }
}
