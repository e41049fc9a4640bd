namespace Mmu86.Paging;

/// <content>What a walk read, noted for timing.</content>
internal sealed unsafe partial class Walker
{
    // More than the 35 references of five levels in both dimensions: a walk that meets a changed entry reads again.
    private ulong[] _noted = new ulong[64];
    private int _notedCount;

    /// <summary>Host-physical addresses of the entries that the last walk read, in order; only of walks that note them.</summary>
    public ReadOnlySpan<ulong> Noted => _noted.AsSpan(0, _notedCount);

    private void Note(ulong host)
    {
        if (_notedCount == _noted.Length)
            Array.Resize(ref _noted, 2 * _noted.Length);
        _noted[_notedCount++] = host;
    }
}
