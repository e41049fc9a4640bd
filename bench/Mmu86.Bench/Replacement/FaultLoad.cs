using Mmu86.Bench.Reporting;
using Mmu86.Hypervisor.Replacement;
using Mmu86.X86;

namespace Mmu86.Bench.Replacement;

/// <summary>A full memory in which pages fault at random; half of what is resident is touched between two looks at it.</summary>
/// <remarks>Flags and dirtiness are bytes by frame, so that the time is the policy's: what reading a nested entry costs is its owner's to bound.</remarks>
internal sealed class FaultLoad : IAccessInformation
{
    private const ulong NanosecondsPerFault = 20_000;

    // So long that next to nothing is scanned while faults are measured.
    private const ulong ScanPeriodNanoseconds = 1UL << 40;
    private const int Scans = 8;

    private readonly int _frames;
    private readonly int _pages;
    private readonly bool[] _resident;
    private readonly bool[] _accessed;
    private readonly uint[] _random;
    private ulong _now;

    /// <summary>A memory of so many frames below four times as many pages.</summary>
    public FaultLoad(int frames, int seed)
    {
        _frames = frames;
        _pages = 4 * frames;
        _resident = new bool[_pages];
        _accessed = new bool[_pages];
        var random = new Random(seed);
        _random = new uint[1 << 16];
        foreach (ref uint number in _random.AsSpan())
            number = (uint)random.Next();
    }

    /// <summary>Fills the memory, then measures faults, then scans.</summary>
    public FaultCost Measure(PageReplacement kind, int faults)
    {
        IReplacementPolicy policy = Filled(kind);
        Fault(policy, _frames * 2);
        double before = ThreadClock.Seconds;
        Fault(policy, faults);
        double faulting = ThreadClock.Seconds - before;

        double scanning = 0;
        for (int scan = 0; scan < Scans; scan++)
        {
            for (int page = 0; page < _pages; page += 2)
                _accessed[page] = _resident[page];
            before = ThreadClock.Seconds;
            policy.Tick(this, _now += ScanPeriodNanoseconds);
            scanning += ThreadClock.Seconds - before;
        }

        return new FaultCost(faulting * 1e9 / faults, scanning * 1e9 / ((double)Scans * _frames));
    }

    /// <inheritdoc/>
    public bool TestAndClearAccessed(GuestFrameNumber frame)
    {
        ref bool accessed = ref _accessed[(int)frame.Value];
        bool wasAccessed = accessed;
        accessed = false;
        return wasAccessed;
    }

    /// <inheritdoc/>
    public bool IsDirty(GuestFrameNumber frame) => (frame.Value & 3) == 0;

    /// <inheritdoc/>
    public void StartCleaning(GuestFrameNumber frame)
    {
        // A write that is under way for ever changes nothing.
    }

    private static GuestFrameNumber Frame(int page) => new((ulong)page);

    private IReplacementPolicy Filled(PageReplacement kind)
    {
        Array.Clear(_resident);
        Array.Clear(_accessed);
        _now = 0;
        IReplacementPolicy policy = kind.Create(ReplacementOptions.Default(_frames, 1) with
        {
            ScanPeriodNanoseconds = ScanPeriodNanoseconds,
            FramesScannedPerMillisecond = int.MaxValue,
        });
        for (int page = 0; page < _frames; page++)
        {
            policy.Inserted(Frame(page), Insertion.Populated);
            _resident[page] = true;
        }

        return policy;
    }

    private void Fault(IReplacementPolicy policy, int faults)
    {
        int at = 0;
        uint page = 0;
        while (faults > 0)
        {
            page = (page + _random[at++ & 0xFFFF]) % (uint)_pages;
            _accessed[page] = true;
            if (_resident[page])
                continue;
            GuestFrameNumber incoming = Frame((int)page);
            if (!policy.TryChooseVictim(this, incoming, out GuestFrameNumber victim))
                throw new MeasurementException($"The policy '{policy.Name}' finds no victim.");
            policy.Removed(victim, Removal.Evicted);
            _resident[(int)victim.Value] = false;
            _accessed[(int)victim.Value] = false;
            policy.Inserted(incoming, Insertion.SwappedIn(page % (uint)_pages));
            _resident[page] = true;
            policy.Tick(this, _now += NanosecondsPerFault);
            faults--;
        }
    }
}
