namespace Mmu86.Bench.GuestPaging;

/// <summary>What is measured, by whom.</summary>
/// <param name="mmu86">Ours.</param>
/// <param name="qemu">The other.</param>
/// <param name="folder">Where guests' files go.</param>
/// <param name="isQuick">Whether it need only be shown to work.</param>
internal sealed class PagingSteps(Mmu86Machine mmu86, QemuMachine qemu, string folder, bool isQuick)
{
    /// <summary>The computer's swap.</summary>
    public const long SwapBytes = 1L << 30;

    private const int SmallMebibytes = 16;
    private const int LargeMebibytes = 1024;

    // On a host: 128 MiB are used in turn where there are 64. What is compressed shrinks to half, and is not in the 64. With half as much of each, Linux kills
    // QEMU for want of memory more often than not.
    private const int GuestMebibytes = 160;
    private const int UsedPages = 128 << 8;
    private const int HostMebibytes = 64;
    private const int PoolMebibytes = 48;

    private static readonly string[] Fast = ["--fidelity", "fast"];
    private static readonly string[] Tlb = ["--fidelity", "tlb"];

    /// <summary>What a kind of swap is called in the table.</summary>
    public static string NameOf(HostSwapKind kind) =>
        kind == HostSwapKind.File ? "host page out and in, swap file" : "host page out and in, compressed in memory";

    /// <summary>Page faults of the guest's own, and first touches of the host's memory.</summary>
    public IReadOnlyList<PagingStep> InsideTheGuest() =>
    [
        // 5000 pages in turn on some 4000 frames: the worst for a clock, so every operation is a fault. Zeros need not be written.
        OfKernel("guest page fault, page of zeros", "0 0 1 0 100", 200_000, "page faults"),
        OfKernel("guest page out and in, virtio disk", "0 0 1 0 0", 15_000, "read"),
        FirstTouch(),
    ];

    /// <summary>A host that has less memory than its guest uses.</summary>
    public PagingStep OfHost(HostSwapKind kind, MemoryGroup group)
    {
        int operations = isQuick ? 10_000 : 40_000, pool = kind == HostSwapKind.Compressed ? PoolMebibytes : 0;
        PagingGuest few = Kernel(operations), many = Kernel(3 * operations);
        long own = 0;
        return new PagingStep(
            NameOf(kind),
            few,
            many,
            [
                new("QEMU TCG in a memory cgroup", OnShortHost),
                new("mmu86 fast", (guest, at) => mmu86.RunOnShortHost(guest, at, HostMebibytes + pool, pool)),
            ]);

        PagingGuest Kernel(int count) => PagingGuest.Write(folder, GuestMebibytes, $"memory-kernel sequential {UsedPages} {count} 0 0 1 0 0");

        // What QEMU needs for itself is not the guest's: as much as both need together is missing, as on our host.
        PagingRun OnShortHost(PagingGuest guest, string at)
        {
            if (own == 0)
            {
                group.Limit(SwapBytes);
                qemu.Run(Kernel(1), at, group);
                own = group.PeakBytes - ((long)UsedPages << 12);
            }

            group.Limit(own + ((long)HostMebibytes << 20));
            return qemu.Run(guest, at, group).Run;
        }
    }

    private PagingStep OfKernel(string name, string rest, int operations, string counted)
    {
        int few = isQuick ? operations / 5 : operations;
        return new PagingStep(
            name,
            Guest(few),
            Guest(3 * few),
            [
                new("QEMU TCG", (guest, at) => Counted(qemu.Run(guest, at, null))),
                new("mmu86 fast", (guest, at) => Counted(mmu86.RunAlone(guest, at, Fast))),
                new("mmu86 tlb", (guest, at) => Counted(mmu86.RunAlone(guest, at, Tlb))),
            ]);

        PagingGuest Guest(int count) => PagingGuest.Write(folder, SmallMebibytes, $"memory-kernel sequential 5000 {count} {rest}");

        PagingRun Counted((PagingRun Run, string Debug) result) => result.Run with { Events = PagingRun.CountedByGuest(result.Debug, counted) };
    }

    // Pages that nobody touched before; one more round over all of them is in it, some nanoseconds each.
    private PagingStep FirstTouch()
    {
        int few = isQuick ? 10_000 : 40_000, many = isQuick ? 30_000 : 240_000;
        return new PagingStep(
            "first touch of the host's memory",
            PagingGuest.Write(folder, LargeMebibytes, $"stride {few} 1"),
            PagingGuest.Write(folder, LargeMebibytes, $"stride {many} 1"),
            [
                new("QEMU TCG", (guest, at) => Counted(guest, qemu.Run(guest, at, null).Run)),
                new("mmu86 fast, 4 KiB", (guest, at) => Counted(guest, mmu86.RunAlone(guest, at, Fast).Run)),
                new("mmu86 fast, 2 MiB", (guest, at) => Counted(guest, mmu86.RunAlone(guest, at, [.. Fast, "--host-page", "2m"]).Run)),
                new("mmu86 tlb, 4 KiB", (guest, at) => Counted(guest, mmu86.RunAlone(guest, at, Tlb).Run)),
            ]);

        static PagingRun Counted(PagingGuest guest, PagingRun run) => run with { Events = int.Parse(guest.Arguments[0], System.Globalization.CultureInfo.InvariantCulture) };
    }
}
