namespace Mmu86.Tests.Hypervisor.Replacement;

internal sealed class LiteralFifo(int frames) : ILiteralPolicy
{
    private readonly List<int> _queue = [];

    public int Access(int page)
    {
        if (_queue.Contains(page))
            return -1;
        int victim = -1;
        if (_queue.Count == frames)
        {
            victim = _queue[0];
            _queue.RemoveAt(0);
        }

        _queue.Add(page);
        return victim;
    }
}
