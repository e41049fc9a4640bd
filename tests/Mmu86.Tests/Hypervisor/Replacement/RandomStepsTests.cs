using Mmu86.Hypervisor.Replacement;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Replacement;

/// <summary>Whatever an owner does with its frames, a policy's books agree with the owner's.</summary>
public sealed class RandomStepsTests
{
    private const int MaxFrames = 90;
    private const int GuestFrames = 300;

    public static TheoryData<string> All => [.. PageReplacement.All.Select(policy => policy.Name)];

    [Theory]
    [MemberData(nameof(All))]
    public void Books_AfterRandomSteps_AgreeWithTheOwners(string name)
    {
        for (int seed = 0; seed < TestTiers.Pick(2, 10, 100); seed++)
        {
            Random random = TestSeed.Case(40_000 + seed);
            var owner = new Owner(name, random);
            for (int step = 0; step < 10_000; step++)
            {
                owner.Step();
                if (step % 50 == 0)
                    owner.Policy.Verify();
            }

            owner.Policy.Verify();
            owner.DropAll();
            owner.Policy.Verify();
            Assert.Equal((0, 0), (owner.Policy.Count, owner.Policy.PinnedCount));
        }
    }

    private sealed class Owner
    {
        private readonly Random _random;
        private readonly SettableFlags _flags = new();
        private readonly List<GuestFrameNumber> _resident = [];
        private readonly HashSet<GuestFrameNumber> _pinned = [];
        private readonly HashSet<GuestFrameNumber> _evicted = [];
        private readonly RecordedFuture _future;
        private readonly GuestFrameNumber[] _references;
        private ulong _now;

        public Owner(string name, Random random)
        {
            _random = random;
            _references = [.. Enumerable.Range(0, 20_000).Select(_ => AnyFrame())];
            _future = new RecordedFuture(_references);
            Policy = PageReplacement.Find(name)!.Create(ReplacementOptions.Default(MaxFrames, 7) with { Future = _future });
        }

        public IReplacementPolicy Policy { get; }

        public void Step()
        {
            GuestFrameNumber touched = _references[_future.Position];
            switch (_random.Next(20))
            {
                case 0 when _resident.Count != 0:
                    GuestFrameNumber pinned = _resident[_random.Next(_resident.Count)];
                    if (_pinned.Add(pinned))
                        Policy.Pin(pinned);
                    break;
                case 1 or 2 when _pinned.Count != 0:
                    GuestFrameNumber free = _pinned.Order(Comparer<GuestFrameNumber>.Create((a, b) => a.Value.CompareTo(b.Value))).First();
                    _pinned.Remove(free);
                    Policy.Unpin(free);
                    break;
                case 3 when _resident.Count != 0:
                    Drop(_resident[_random.Next(_resident.Count)], Removal.Discarded);
                    break;
                case 4 when _random.Next(100) == 0:
                    // A third of its memory is taken from the guest.
                    ulong first = (ulong)_random.Next(GuestFrames);
                    foreach (GuestFrameNumber taken in _resident.Where(frame => frame.Value - first < GuestFrames / 3).ToList())
                        Drop(taken, Removal.Discarded);
                    break;
                case 5 when _random.Next(10) == 0:
                    // A machine is squeezed: many give way, and nobody comes in.
                    for (int left = _random.Next(MaxFrames); left > 0 && Evict(null); left--)
                        Assert.Equal(_resident.Count, Policy.Count);
                    break;
                case 6 when _resident.Count > _pinned.Count:
                    // The owner knows better than the policy.
                    GuestFrameNumber chosen = _resident.First(frame => !_pinned.Contains(frame));
                    Drop(chosen, Removal.Evicted);
                    break;
                case 7:
                    Policy.Tick(_flags, _now += (ulong)_random.Next(8_000_000));
                    break;
                default:
                    Touch(touched);
                    _future.Advance();
                    break;
            }

            Assert.Equal((_resident.Count, _pinned.Count), (Policy.Count, Policy.PinnedCount));
            Assert.InRange(Policy.GhostCount, 0, 2 * MaxFrames);
        }

        public void DropAll()
        {
            foreach (GuestFrameNumber frame in _resident.ToList())
                Drop(frame, Removal.Discarded);
        }

        private GuestFrameNumber AnyFrame() => new((ulong)_random.Next(GuestFrames));

        private void Touch(GuestFrameNumber frame)
        {
            Assert.Equal(_resident.Contains(frame), Policy.IsResident(frame));
            if (!_resident.Contains(frame))
            {
                if (_resident.Count == MaxFrames && !Evict(frame))
                    return;
                Policy.Inserted(frame, _random.Next(5) == 0 ? Insertion.ReadAhead((ulong)_random.Next(200))
                    : _evicted.Remove(frame) ? Insertion.SwappedIn((ulong)_random.Next(200))
                    : Insertion.Populated);
                _resident.Add(frame);
            }

            _flags.Accessed.Add(frame);
            if (_random.Next(3) == 0)
                _flags.Dirty.Add(frame);
        }

        private bool Evict(GuestFrameNumber? incoming)
        {
            bool isFound = Policy.TryChooseVictim(_flags, incoming, out GuestFrameNumber victim);
            Assert.Equal(_resident.Count > _pinned.Count, isFound);
            if (!isFound)
                return false;

            Assert.Contains(victim, _resident);
            Assert.DoesNotContain(victim, _pinned);
            Drop(victim, Removal.Evicted);
            return true;
        }

        private void Drop(GuestFrameNumber frame, Removal how)
        {
            Policy.Removed(frame, how);
            _resident.Remove(frame);
            _pinned.Remove(frame);
            _flags.Accessed.Remove(frame);
            _flags.Dirty.Remove(frame);
            if (how == Removal.Evicted)
                _evicted.Add(frame);
        }
    }
}
