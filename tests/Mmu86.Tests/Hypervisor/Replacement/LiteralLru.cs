namespace Mmu86.Tests.Hypervisor.Replacement;

internal sealed class LiteralLru(int frames) : ILiteralPolicy
{
    private readonly List<int> _stack = [];

    public int Access(int page)
    {
        int victim = -1;
        if (!_stack.Remove(page) && _stack.Count == frames)
        {
            victim = _stack[0];
            _stack.RemoveAt(0);
        }

        _stack.Add(page);
        return victim;
    }
}
