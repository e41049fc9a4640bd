using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.TestKit.Paging;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>The machines of the nested-feature matrix: one format, with and without each capability.</summary>
internal sealed class NestedFeatureRigs : IDisposable
{
    private static readonly int[] s_widths = [46, 43, 52, 48];
    private readonly List<(MmuRig Rig, NestedFeatureWorld World)> _rigs = [];

    /// <summary>Makes them.</summary>
    /// <param name="format">The format of all of them.</param>
    /// <param name="spoil">What a test of the test does to contexts of the judge's own MMU; null for the MMU under test.</param>
    public NestedFeatureRigs(NestedFormat format, Func<PagingContext, PagingContext>? spoil = null)
    {
        for (int i = 0; i < s_widths.Length; i++)
        {
            Add("uncached", TestMmuConfigurations.Uncached(), i);
            Add("ideal", TestMmuConfigurations.Ideal(), i);
            Add("small-skylake", TestMmuConfigurations.SmallSkylake(), i);
            Add("random", TestMmuConfigurations.Random(TestSeed.Case(-100 - i)), i);
        }

        void Add(string name, MmuConfiguration configuration, int index)
        {
            var world = new NestedFeatureWorld();
            MmuConfiguration own = configuration with
            {
                PhysicalAddressBits = s_widths[index],
                HasPage1G = index != 3,
                Nested = configuration.Nested with
                {
                    Format = format,
                    FiveLevels = true,
                    LargestPage = index == 3 && format == NestedFormat.Ept ? "4k" : index == 2 ? "2m" : "1g",
                    ExecuteOnly = index % 2 == 0,
                    ViolationDetails = index >= 2,
                },
            };
            IMmu mmu = spoil is null
                ? MmuUnderTest.Create(own, world.Memory)
                : new ReferenceMmu(world.Memory, ReferenceCapabilities.Of(own)) { Forgets = spoil };
            _rigs.Add((new MmuRig($"{format} {name}-{index}", own, mmu, world.Memory, world.Tables), world));
        }
    }

    /// <summary>Runs cases on any of them, until the log is full.</summary>
    public void Run(int cases, MismatchLog log, OutcomeTally tally)
    {
        for (int number = 0; number < cases && !log.IsFull; number++)
        {
            Random random = TestSeed.Case(number);
            (MmuRig rig, NestedFeatureWorld world) = _rigs[random.Next(_rigs.Count)];
            new NestedFeatureCase(number, rig, world, random, log, tally).Run();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _rigs.ForEach(each => each.World.Dispose());
}
