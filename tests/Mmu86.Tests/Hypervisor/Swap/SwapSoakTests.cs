using Mmu86.Hypervisor.Swap;
using Mmu86.TestKit;
using Mmu86.TestKit.Swap;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Swap;

/// <summary>Random sequences against a shadow copy of every page, and the same sequence on devices that differ in real time only.</summary>
public sealed class SwapSoakTests
{
    private const int Worlds = 8;
    private const int Owners = 4;

    [Fact]
    public void Space_RandomStepsAndFaults_KeepsEveryPageOrSaysThatItIsBroken()
    {
        int steps = TestTiers.Pick(10_000, 40_000, 1_000_000) / Worlds;
        var happened = new List<SwapCounts>();
        for (int number = 0; number < Worlds; number++)
        {
            var torn = new TornSwapDevice(new MemorySwapDevice(200), Damage(number));
            using var run = new Run(number, new FailingSwapDevice(torn, Ends(number, 50, SwapStatus.ReadFailed, SwapStatus.ShortRead), Ends(number, 60, SwapStatus.WriteFailed, SwapStatus.ShortWrite, SwapStatus.DeviceFull)), torn);
            happened.Add(run.Steps(steps));
        }

        // The worlds together went through everything.
        foreach (Func<SwapCounts, ulong> count in new Func<SwapCounts, ulong>[]
        {
            c => c.ReadFailures, c => c.WriteFailures, c => c.ChecksumMismatches, c => c.ReadAheadHits, c => c.ZeroPagesOut, c => c.WriteBufferHits, c => c.PoolHits,
            c => c.PagesWrittenBack, c => c.PagesIncompressible, c => c.BytesRead, c => c.BytesWritten,
        })
        {
            Assert.Contains(happened, counts => count(counts) != 0);
        }
    }

    [Fact]
    public void Space_SameStepsOnAFileInMemoryAndOnASlowDevice_GivesTheSameToTheLastNanosecond()
    {
        int steps = TestTiers.Pick(1_500, 10_000, 50_000);
        using var folder = new SwapFolder();
        string[] results =
        [
            Result(new MemorySwapDevice(200)),
            Result(new FileSwapDevice(folder.Options(200 * SwapSlot.SizeInBytes, SwapFileAllocation.Growing) with { QueuedWrites = 1 })),
            Result(new SlowSwapDevice(new FileSwapDevice(folder.Options(200 * SwapSlot.SizeInBytes, SwapFileAllocation.Preallocated)), new Random())),
        ];
        Assert.Equal(results[0], results[1]);
        Assert.Equal(results[0], results[2]);

        string Result(ISwapDevice device)
        {
            using var run = new Run(1, device, null);
            SwapCounts happened = run.Steps(steps);
            Assert.True(happened is { BytesRead: > 0, BytesWritten: > 0, ReadAheadHits: > 0, PagesWrittenBack: > 0 });
            return run.Log();
        }
    }

    private static Func<int, PageDamage> Damage(int world)
    {
        Random random = TestSeed.Case(world + 1000);
        return _ => random.Next(100) == 0 ? (PageDamage)random.Next(1, 4) : PageDamage.None;
    }

    private static Func<int, SwapStatus> Ends(int world, int oneIn, params SwapStatus[] failures)
    {
        Random random = TestSeed.Case(world + oneIn);
        return _ => random.Next(oneIn) == 0 ? failures[random.Next(failures.Length)] : SwapStatus.Done;
    }

    private sealed class Run(int number, ISwapDevice device, TornSwapDevice? torn) : IDisposable
    {
        private readonly Random _random = TestSeed.Case(number);
        private readonly Dictionary<int, List<(SwapSlot Slot, byte[] Page)>> _shadow = Enumerable.Range(0, Owners).ToDictionary(owner => owner, _ => new List<(SwapSlot, byte[])>());
        private readonly byte[] _page = new byte[SwapSlot.SizeInBytes];
        private readonly System.IO.Hashing.XxHash64 _log = new();
        private readonly SwapWorld _world = new(
            device,
            new SwapDeviceModel(SwapDeviceTimes.Find(SwapDeviceTimes.Names[number % 3])!),
            SwapWorld.Small with { CompressedPoolBytes = number % 2 == 0 ? 0UL : 8192, HeldPages = 40 });

        public SwapCounts Steps(int steps)
        {
            for (int step = 0; step < steps; step++)
            {
                int owner = _random.Next(Owners);
                List<(SwapSlot Slot, byte[] Page)> pages = _shadow[owner];
                switch (_random.Next(20))
                {
                    case < 9:
                        Store(owner, pages);
                        break;
                    case < 15 when pages.Count != 0:
                        Load(owner, pages[_random.Next(pages.Count)]);
                        break;
                    case < 17:
                        LoadRun(owner, pages);
                        break;
                    case 17 when pages.Count > 60 || _random.Next(40) == 0:
                        _world.Space.FreeAll(owner);
                        pages.Clear();
                        break;
                    case 18:
                        Note(_world.Space.Flush(_world.Now));
                        break;
                    default:
                        _world.Now += (ulong)_random.Next(200_000);
                        break;
                }

                Check();
            }

            for (int owner = 0; owner < Owners; owner++)
            {
                foreach ((SwapSlot Slot, byte[] Page) page in _shadow[owner])
                    Load(owner, page);
                _world.Space.FreeAll(owner);
                _shadow[owner].Clear();
            }

            _world.Drain();
            Check();
            Assert.Equal(_world.Space.Slots, _world.Space.SlotsFree);
            return _world.Space.SumCounts();
        }

        /// <summary>Everything that happened, in one number, and all counts.</summary>
        public string Log()
        {
            var text = new System.Text.StringBuilder($"{_world.Now} {_log.GetCurrentHashAsUInt64():X}");
            foreach (System.Reflection.PropertyInfo count in typeof(SwapCounts).GetProperties())
                text.Append($" {count.Name}={count.GetValue(_world.Space.SumCounts())}");
            return text.ToString();
        }

        public void Dispose() => _world.Dispose();

        private string Where => $"seed {TestSeed.Base}, world {number}";

        private void Store(int owner, List<(SwapSlot Slot, byte[] Page)> pages)
        {
            for (int left = _random.Next(1, 9); left != 0; left--)
            {
                byte[] page = Pages.Any(_random);
                SwapOutcome outcome = _world.Space.Store(owner, page, _world.Now, out SwapSlot slot);
                Note(outcome.ReadyAt + ((ulong)outcome.Status << 56) + slot.Packed);
                if (!outcome.IsDone)
                    return;
                Assert.True(outcome.ReadyAt >= _world.Now, Where);
                pages.Add((slot, page));
            }
        }

        // In the order of storing, as a program that goes through its memory: read-ahead has something to do.
        private void LoadRun(int owner, List<(SwapSlot Slot, byte[] Page)> pages)
        {
            int first = pages.Count == 0 ? 0 : _random.Next(pages.Count);
            for (int left = Math.Min(12, pages.Count - first); left > 0; left--)
            {
                Load(owner, pages[first]);
                _world.Space.Free(owner, pages[first].Slot);
                pages.RemoveAt(first);
            }
        }

        private void Load(int owner, (SwapSlot Slot, byte[] Page) expected)
        {
            SwapOutcome outcome = _world.Space.Load(owner, expected.Slot, _world.Now, _page);
            Note(outcome.ReadyAt + ((ulong)outcome.Status << 56));
            Assert.True(outcome.ReadyAt >= _world.Now, Where);
            if (outcome.IsDone)
                Assert.True(_page.AsSpan().SequenceEqual(expected.Page), $"{Where}: {expected.Slot} of {owner} has other bytes");
            else
                Assert.False(_page.AsSpan().ContainsAnyExcept((byte)0), Where);
            if (torn is null)
                Assert.True(outcome.IsDone, Where);

            // A checksum complains of damaged pages alone. (What is said of a damaged one may be an I/O error, or it may still come from memory.)
            if (outcome.Status == SwapStatus.ChecksumMismatch)
                Assert.Contains((ulong)expected.Slot.Number * SwapSlot.SizeInBytes, torn!.Damaged);
        }

        private void Check()
        {
            for (int owner = 0; owner < Owners; owner++)
            {
                SwapCounts counts = _world.Space.CountsOf(owner);
                Assert.Equal(_shadow[owner].Count(page => !page.Slot.IsZeroPage), (int)counts.SlotsUsed);
                Assert.Equal(_shadow[owner].Count(page => page.Slot.IsZeroPage), (int)counts.ZeroPages);
            }

            SwapCounts sum = _world.Space.SumCounts();
            Assert.True(sum.SlotsUsed + _world.Space.SlotsFree <= _world.Space.Slots, Where);
            Assert.True(sum.PooledBytes <= 8192, Where);
            Assert.True(sum.HeldPages + sum.PooledPages <= sum.SlotsUsed, Where);
        }

        private void Note(ulong value) => _log.Append(BitConverter.GetBytes(value));
    }
}
