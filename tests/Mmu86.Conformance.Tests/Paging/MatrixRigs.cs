using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>The machines of a sampled matrix: named ones and random ones, of several physical widths, with and without 1-GByte pages.</summary>
internal sealed class MatrixRigs : IDisposable
{
    private readonly List<(MmuRig Rig, WalkWorld World)> _rigs = [];

    private MatrixRigs(Func<MmuConfiguration, HostMemory, IMmu> create, IReadOnlyList<Func<WalkWorld>> worlds, IReadOnlyList<int> widths)
    {
        foreach (Func<WalkWorld> world in worlds)
            AddAll(create, world, widths);
    }

    private void AddAll(Func<MmuConfiguration, HostMemory, IMmu> create, Func<WalkWorld> world, IReadOnlyList<int> widths)
    {
        for (int i = 0; i < widths.Count; i++)
        {
            Add($"uncached-{i}", TestMmuConfigurations.Uncached(), i);
            Add($"ideal-{i}", TestMmuConfigurations.Ideal(), i);
            Add($"small-skylake-{i}", TestMmuConfigurations.SmallSkylake(), i);
            Add($"random-{i}", TestMmuConfigurations.Random(TestSeed.Case(-1 - i)), i);
        }

        void Add(string name, MmuConfiguration configuration, int index)
        {
            WalkWorld own = world();
            MmuConfiguration wide = configuration with
            {
                PhysicalAddressBits = widths[index],
                HasPage1G = index % 2 == 0,
                HasPse36 = index % 4 != 2,
                ReservesBit8AbovePdpte = index == 3,
                Nested = configuration.Nested with
                {
                    LargestPage = index == 3 ? "4k" : index == 2 ? "2m" : "1g",
                    ExecuteOnly = index != 1,
                    ViolationDetails = index >= 2,
                },
            };
            _rigs.Add((new MmuRig($"{own.Mode} {name}", wide, create(wide, own.Memory), own.Memory, own.Tables), own));
        }
    }

    /// <summary>Machines over worlds without EPT.</summary>
    /// <param name="create">Makes the MMU of each.</param>
    public static MatrixRigs Native(Func<MmuConfiguration, HostMemory, IMmu> create) => new(create, [WalkWorld.Native], [46, 36, 52, 39]);

    /// <summary>Machines over worlds of one paging mode without EPT.</summary>
    /// <param name="create">Makes the MMU of each.</param>
    /// <param name="mode">The paging mode.</param>
    public static MatrixRigs Native(Func<MmuConfiguration, HostMemory, IMmu> create, GuestPagingMode mode) => new(
        create,
        mode < GuestPagingMode.FourLevel ? [() => WalkWorld.Native(mode)] : [() => WalkWorld.Native(mode), () => WalkWorld.NativeUpperHalf(mode)],
        [46, 36, 52, 39]);

    /// <summary>Machines over worlds with EPT. Their guest-physical addresses need 42 bits.</summary>
    /// <param name="create">Makes the MMU of each.</param>
    public static MatrixRigs Nested(Func<MmuConfiguration, HostMemory, IMmu> create) => new(create, [WalkWorld.Nested], [46, 43, 52, 48]);

    /// <summary>Machines over worlds of one paging mode with EPT.</summary>
    /// <param name="create">Makes the MMU of each.</param>
    /// <param name="mode">The paging mode.</param>
    public static MatrixRigs Nested(Func<MmuConfiguration, HostMemory, IMmu> create, GuestPagingMode mode) =>
        new(create, [() => WalkWorld.Nested(mode)], [46, 43, 52, 48]);

    /// <summary>Runs cases on any of them, until the log is full.</summary>
    public void Run(int cases, MismatchLog log, OutcomeTally tally)
    {
        for (int number = 0; number < cases && !log.IsFull; number++)
        {
            Random random = TestSeed.Case(number);
            (MmuRig rig, WalkWorld world) = _rigs[random.Next(_rigs.Count)];
            new MatrixCase(number, rig, world, random, log, tally).Run();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _rigs.ForEach(each => each.World.Dispose());
}
