namespace Mmu86.Tests.Hypervisor.Replacement;

/// <summary>ARC(c) of Megiddo and Modha, figure 4, case by case. Most recently used first.</summary>
internal sealed class LiteralArc(int c) : ILiteralPolicy
{
    private readonly List<int> _t1 = [];
    private readonly List<int> _t2 = [];
    private readonly List<int> _b1 = [];
    private readonly List<int> _b2 = [];
    private double _p;

    public int Access(int page)
    {
        int victim = -1;
        if (_t1.Remove(page) || _t2.Remove(page))
        {
            // Case I.
            _t2.Insert(0, page);
        }
        else if (_b1.Contains(page))
        {
            // Case II.
            _p = Math.Min(_p + (_b1.Count >= _b2.Count ? 1 : (double)_b2.Count / _b1.Count), c);
            victim = Replace(page);
            _b1.Remove(page);
            _t2.Insert(0, page);
        }
        else if (_b2.Contains(page))
        {
            // Case III.
            _p = Math.Max(_p - (_b2.Count >= _b1.Count ? 1 : (double)_b1.Count / _b2.Count), 0);
            victim = Replace(page);
            _b2.Remove(page);
            _t2.Insert(0, page);
        }
        else
        {
            // Case IV.
            if (_t1.Count + _b1.Count == c)
            {
                if (_t1.Count < c)
                {
                    TakeLast(_b1);
                    victim = Replace(page);
                }
                else
                {
                    victim = TakeLast(_t1);
                }
            }
            else
            {
                int total = _t1.Count + _t2.Count + _b1.Count + _b2.Count;
                if (total >= c)
                {
                    if (total == 2 * c)
                        TakeLast(_b2);
                    victim = Replace(page);
                }
            }

            _t1.Insert(0, page);
        }

        return victim;
    }

    private int Replace(int page)
    {
        int victim;
        if (_t1.Count != 0 && (_t1.Count > _p || (_b2.Contains(page) && _t1.Count == _p)))
        {
            victim = TakeLast(_t1);
            _b1.Insert(0, victim);
        }
        else
        {
            victim = TakeLast(_t2);
            _b2.Insert(0, victim);
        }

        return victim;
    }

    private static int TakeLast(List<int> list)
    {
        int last = list[^1];
        list.RemoveAt(list.Count - 1);
        return last;
    }
}
