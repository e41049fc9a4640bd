using Mmu86.Lab.Sweeps;
using Mmu86.Lab.Sweeps.OnePass;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.Tests.Lab.Sweeps;

public sealed class MissClassifierTests
{
    [Fact]
    public void Touch_SetThatTwoPagesShare_IsConflict()
    {
        var classifier = new MissClassifier(2);
        Assert.Equal(MissClass.Compulsory, classifier.Touch(0, 0));
        Assert.Equal(MissClass.Compulsory, classifier.Touch(2, 0));
        Assert.Equal(MissClass.Conflict, classifier.Touch(0, 0));
    }

    [Fact]
    public void Touch_MorePagesThanEntries_IsCapacity()
    {
        var classifier = new MissClassifier(2);
        for (ulong page = 0; page < 3; page++)
            Assert.Equal(MissClass.Compulsory, classifier.Touch(page, 0));
        Assert.Equal(MissClass.Capacity, classifier.Touch(0, 0));
    }

    [Fact]
    public void Touch_PageInvalidatedWhileHeld_IsInvalidationOnce()
    {
        var classifier = new MissClassifier(2);
        classifier.Touch(0, 3);
        classifier.InvalidatePage(0, 3);
        Assert.Equal(MissClass.Invalidation, classifier.Touch(0, 3));
        classifier.Touch(1, 3);
        classifier.Touch(2, 3);
        Assert.Equal(MissClass.Capacity, classifier.Touch(0, 3));
    }

    [Fact]
    public void Touch_PageEvictedBeforeItsInvalidation_IsCapacity()
    {
        var classifier = new MissClassifier(1);
        classifier.Touch(0, 0);
        classifier.Touch(1, 0);
        classifier.InvalidatePage(0, 0);
        Assert.Equal(MissClass.Capacity, classifier.Touch(0, 0));
    }

    [Fact]
    public void Touch_SpaceRetired_IsCompulsoryAgain()
    {
        var classifier = new MissClassifier(4);
        classifier.Touch(0, 1);
        classifier.Touch(0, 2);
        classifier.RetireSpace(1);
        Assert.Equal(MissClass.Compulsory, classifier.Touch(0, 1));
        Assert.Equal(MissClass.Conflict, classifier.Touch(0, 2));
    }

    [Fact]
    public void Touch_RandomStreams_AgreesWithTheDefinitions()
    {
        for (int seed = 0; seed < TestTiers.Pick(60, 200, 2000); seed++)
        {
            Random random = TestSeed.Case(8000 + seed);
            int entries = random.Next(1, 70);
            var classifier = new MissClassifier(entries, new PageIdTable(entries, smallestIndexBits: 1));
            var literal = new LiteralFullyAssociative(entries);
            var lastLeftByInvalidation = new Dictionary<(ulong Page, uint Space), bool>();
            foreach (SweepEvent next in SweepEvent.Stream(random, 4000, 1 << random.Next(2, 9), 0, 1, 1u << 31))
            {
                if (next.Kind != SweepEventKind.Access)
                {
                    (ulong Page, uint Space)[] held = [.. lastLeftByInvalidation.Keys.Where(key => literal.Holds(key.Page, key.Space))];
                    Invalidate(classifier, next);
                    literal.Apply(next);
                    foreach ((ulong Page, uint Space) key in held.Where(key => !literal.Holds(key.Page, key.Space)))
                        lastLeftByInvalidation[key] = true;
                    continue;
                }

                MissClass expected = literal.Holds(next.Page, next.Space) ? MissClass.Conflict
                    : !lastLeftByInvalidation.TryGetValue((next.Page, next.Space), out bool isInvalidated) ? MissClass.Compulsory
                    : isInvalidated ? MissClass.Invalidation
                    : MissClass.Capacity;
                literal.Apply(next);
                lastLeftByInvalidation[(next.Page, next.Space)] = false;
                if (literal.Evicted is (ulong, uint) evicted)
                    lastLeftByInvalidation[evicted] = false;
                MissClass got = classifier.Touch(next.Page, next.Space);
                if (got != expected)
                    Assert.Fail($"seed {TestSeed.Base}, case {seed}: {got}, not {expected}");
            }
        }
    }

    [Fact]
    public void Tally_MissesOfSeveralKeys_AreCountedByKeyAndInAll()
    {
        var tally = new MissTally();
        tally.Add(0, MissClass.Conflict);
        tally.Add(700, MissClass.Capacity);
        tally.Add(700, MissClass.Invalidation);
        tally.Add(700, MissClass.Compulsory);

        Assert.Equal(701, tally.Keys);
        Assert.Equal(new MissClassCounts { Compulsory = 0, Capacity = 0, Conflict = 1, Invalidation = 0 }, tally[0]);
        Assert.Equal(0, tally[5].Total);
        Assert.Equal(new MissClassCounts { Compulsory = 1, Capacity = 1, Conflict = 0, Invalidation = 1 }, tally[700]);
        Assert.Equal(4, tally.Total.Total);
        Assert.Throws<ArgumentOutOfRangeException>(() => tally[701]);
        Assert.Throws<ArgumentOutOfRangeException>(() => tally.Add(-1, MissClass.Conflict));
    }

    private static void Invalidate(MissClassifier classifier, SweepEvent next)
    {
        switch (next.Kind)
        {
            case SweepEventKind.InvalidatePage:
                classifier.InvalidatePage(next.Page, next.Space);
                break;
            case SweepEventKind.InvalidateSpace:
                classifier.InvalidateSpace(next.Space);
                break;
            default:
                classifier.InvalidateAll();
                break;
        }
    }
}
