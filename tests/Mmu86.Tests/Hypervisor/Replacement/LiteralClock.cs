namespace Mmu86.Tests.Hypervisor.Replacement;

/// <summary>An array of frames, a use bit for each, and a hand.</summary>
internal sealed class LiteralClock(int frames) : ILiteralPolicy
{
    private readonly int[] _pages = Enumerable.Repeat(-1, frames).ToArray();
    private readonly bool[] _used = new bool[frames];
    private int _hand;

    public int Access(int page)
    {
        int at = Array.IndexOf(_pages, page);
        if (at >= 0)
        {
            _used[at] = true;
            return -1;
        }

        while (_used[_hand])
        {
            _used[_hand] = false;
            _hand = (_hand + 1) % frames;
        }

        int victim = _pages[_hand];
        _pages[_hand] = page;
        _used[_hand] = true;
        _hand = (_hand + 1) % frames;
        return victim;
    }
}
