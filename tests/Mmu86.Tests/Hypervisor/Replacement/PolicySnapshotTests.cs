using Mmu86.Hypervisor.Replacement;
using Mmu86.Memory;
using Mmu86.TestKit;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Hypervisor.Replacement;

/// <summary>The books of policies, saved and read back by another: it decides as the first would have.</summary>
public sealed class PolicySnapshotTests
{
    private const int Frames = 300;

    public static TheoryData<string> Policies => [.. PageReplacement.All.Where(policy => !policy.NeedsFuture).Select(policy => policy.Name)];

    [Theory]
    [MemberData(nameof(Policies))]
    public void Policy_SavedAtRandomMoments_DecidesAsIfNothingHadBeen(string name)
    {
        for (int seed = 0; seed < TestTiers.Pick(5, 20, 1000); seed++)
        {
            List<string> straight = Decide(name, seed, TestSeed.Case(seed), cuts: null);
            Assert.Equal(straight, Decide(name, seed, TestSeed.Case(seed), TestSeed.Case(seed + 100_000)));
            Assert.Contains(straight, decision => decision.StartsWith("victim", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Policy_ReadsAnotherPolicysBooks_RefusesThem()
    {
        byte[] books = Save(Create("clock", 1));
        StateFormatException refused = Assert.Throws<StateFormatException>(() => Load(Create("fifo", 1), books));
        Assert.Equal("section 'books', field 'policy': is clock, and here it is fifo", refused.Message);
    }

    [Fact]
    public void Policy_ThatKnowsTheFuture_IsNotSaved()
    {
        IReplacementPolicy policy = PageReplacement.Find("opt")!.Create(ReplacementOptions.Default(4, 1) with { Future = new RecordedFuture([]) });
        Assert.Throws<NotSupportedException>(() => Save(policy));
    }

    [Theory]
    [MemberData(nameof(Policies))]
    public void Policy_ReadsForgedBooks_RefusesThemOrHasBooksThatAgree(string name)
    {
        IReplacementPolicy filled = Create(name, 1);
        for (ulong frame = 0; frame < 40; frame++)
            filled.Inserted(new GuestFrameNumber(frame), Insertion.Populated);
        for (ulong frame = 0; frame < 10; frame++)
            filled.Removed(new GuestFrameNumber(frame * 3), frame % 2 == 0 ? Removal.Evicted : Removal.Discarded);
        byte[] books = Save(filled);
        Random random = TestSeed.Case(name.Length);
        int refused = 0;
        for (int i = 0; i < TestTiers.Pick(300, 1000, 100_000); i++)
        {
            byte[] forged = (byte[])books.Clone();
            forged[random.Next(forged.Length)] = (byte)random.Next(256);
            IReplacementPolicy policy = Create(name, 1);
            try
            {
                Load(policy, forged);
            }
            catch (StateFormatException)
            {
                refused++;
                continue;
            }

            policy.Verify();
            while (policy.TryChooseVictim(new Flags(random), null, out GuestFrameNumber victim))
                policy.Removed(victim, Removal.Evicted);
            policy.Verify();
        }

        Assert.True(refused > 0, "nothing was refused");
    }

    [Fact]
    public void Policy_ReadsGenerationsThatWouldBeginAgain_RefusesThem()
    {
        byte[] books = Save(Create("mglru", 1));
        books.AsSpan(books.Length - 24, 16).Fill(0xFF); // the oldest and the youngest
        Assert.Equal("section 'books', field 'generations': are more than any run comes to", Assert.Throws<StateFormatException>(() => Load(Create("mglru", 1), books)).Message);
    }

    private static List<string> Decide(string name, int seed, Random random, Random? cuts)
    {
        List<string> decisions = [];
        IReplacementPolicy policy = Create(name, (ulong)seed);
        var access = new Flags(random);
        ulong now = 0;
        List<GuestFrameNumber> evicted = [];
        for (int step = 0; step < 2000; step++)
        {
            if (cuts?.Next(100) == 0)
            {
                IReplacementPolicy other = Create(name, (ulong)seed);
                if (cuts.Next(2) == 0)
                    other.Inserted(new GuestFrameNumber(7), Insertion.Populated); // what was known before counts for nothing
                Load(other, Save(policy));
                other.Verify();
                policy = other;
            }

            var frame = new GuestFrameNumber((ulong)random.Next(2 * Frames));
            switch (random.Next(8))
            {
                case 0:
                    policy.Tick(access, now += (ulong)random.Next(3_000_000));
                    break;
                case 1 when policy.IsResident(frame) && policy.PinnedCount == 0:
                    policy.Pin(frame);
                    policy.Unpin(frame);
                    break;
                case 2 when policy.IsResident(frame):
                    policy.Removed(frame, Removal.Discarded);
                    break;
                case < 6 when !policy.IsResident(frame) && policy.Count < Frames:
                    policy.Inserted(frame, evicted.Contains(frame) ? Insertion.SwappedIn((ulong)random.Next(Frames)) : Insertion.Populated);
                    break;
                case > 5 when policy.TryChooseVictim(access, frame, out GuestFrameNumber victim):
                    decisions.Add($"victim {victim.Value}");
                    policy.Removed(victim, Removal.Evicted);
                    evicted.Add(victim);
                    break;
            }

            decisions.Add($"{policy.Count} {policy.GhostCount}");
        }

        return decisions;
    }

    private static IReplacementPolicy Create(string name, ulong seed) => PageReplacement.Find(name)!.Create(ReplacementOptions.Default(Frames, seed));

    private static byte[] Save(IReplacementPolicy policy)
    {
        var writer = new StateWriter(ForgottenHostAddresses.All);
        writer.Begin("books");
        policy.Save(writer);
        writer.End();
        return writer.Sections[0].Bytes.ToArray();
    }

    private static void Load(IReplacementPolicy policy, byte[] books)
    {
        var reader = new StateReader([new StateSection("books", books)], ForgottenHostAddresses.All);
        reader.Open("books");
        policy.Load(reader);
        reader.Close();
    }

    private sealed class Flags(Random random) : IAccessInformation
    {
        public bool TestAndClearAccessed(GuestFrameNumber frame) => random.Next(3) == 0;

        public bool IsDirty(GuestFrameNumber frame) => random.Next(2) == 0;

        public void StartCleaning(GuestFrameNumber frame)
        {
        }
    }
}
