using Mmu86.Cpu;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Timing;

/// <content>Accesses: what the MMU tells as its policy.</content>
public sealed partial class TimingModel
{
    private const int PageBytes = 4096;

    // When each of the latest accesses is done: the next one takes the place of the oldest.
    private readonly ulong[] _underWay;
    private int _oldest;

    /// <summary>A lookup ended in a translation: the access is made. <see cref="IExecutionPolicy.Accessed"/>.</summary>
    public void Accessed(AccessKind kind, in Translation translation, TranslationHit hit)
    {
        if (kind == AccessKind.Fetch)
            Fetch(translation, hit);
        else
            AccessData(kind, translation, hit);
    }

    // Nothing goes on without its instruction: what a fetch waits for, everything behind it waits for.
    private void Fetch(in Translation translation, TranslationHit hit)
    {
        ulong address = translation.Address.Value;
        _fetchedFrom = address;
        if (hit != TranslationHit.L1)
            _clock = Translate(_clock, hit);
        _clock += (ulong)(translation.IsRam ? _caches.Fetch(_caches.Line(address)) : _caches.MemoryLatency);
    }

    // The instruction's second line. One in another page was translated, and told, by itself.
    private void FetchRest(int length)
    {
        ulong last = _fetchedFrom + (ulong)Math.Max(0, length - 1);
        if (_caches.Line(last) != _caches.Line(_fetchedFrom) && last / PageBytes == _fetchedFrom / PageBytes)
            _clock += (ulong)_caches.Fetch(_caches.Line(last));
    }

    private void AccessData(AccessKind kind, in Translation translation, TranslationHit hit)
    {
        // One access a cycle begins.
        if (_accesses++ != 0)
            _clock++;

        // In order: who finds no room keeps everything behind it waiting.
        _clock = Math.Max(_clock, _underWay[_oldest]);
        ulong at = kind == AccessKind.Read ? LatestOf(_facts.Addresses, _clock) : LatestOf(_facts.Reads, Math.Max(_clock, _loaded));
        if (hit != TranslationHit.L1)
            at = Translate(at, hit);
        at += (ulong)(translation.IsRam ? AccessCaches(translation.Address.Value) : _caches.MemoryLatency);
        _underWay[_oldest] = at;
        _oldest = _oldest + 1 == _underWay.Length ? 0 : _oldest + 1;
        _done = Math.Max(_done, at);
        if (kind == AccessKind.Read || (_facts.Traits & InstructionTraits.Modifies) != 0)
            _loaded = Math.Max(_loaded, at);
    }

    // An access that crosses a line needs both; the one that crosses a page comes in two parts.
    private int AccessCaches(ulong address)
    {
        ulong line = _caches.Line(address);
        int latency = _caches.Access(line);
        ulong last = address + Math.Max(1u, _facts.AccessBytes) - 1;
        return _caches.Line(last) != line && last / PageBytes == address / PageBytes
            ? Math.Max(latency, _caches.Access(_caches.Line(last)))
            : latency;
    }

    // The first-level TLB missed: when is the address known?
    private ulong Translate(ulong at, TranslationHit hit) =>
        hit == TranslationHit.L2 ? at + (ulong)_latencies.L2HitCycles : Walk(at);
}
