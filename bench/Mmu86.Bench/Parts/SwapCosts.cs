using BenchmarkDotNet.Attributes;
using Mmu86.Hypervisor.Swap;

namespace Mmu86.Bench.Parts;

/// <summary>What a page costs on its way to a swap file and back, all of it in the file cache of the real machine.</summary>
/// <remarks>Each setup checks by the counts that pages go the way that the name says.</remarks>
public class SwapCosts
{
    private const int Pages = 4096;
    private const int Owner = 1;

    // Coprime to the number of pages: every page once, no neighbours.
    private const int Step = 1013;

    private readonly byte[][] _pages = [.. Enumerable.Range(0, Pages).Select(Log)];
    private readonly SwapSlot[] _slots = new SwapSlot[Pages];
    private readonly byte[] _page = new byte[SwapSlot.SizeInBytes];
    private SwapSpace _space = null!;
    private ulong _now;

    [GlobalSetup(Target = nameof(LoadApart))]
    public void SetUpLoadApart()
    {
        SetUp(SwapSpaceOptions.Standard);
        LoadApart();
        Expect(_space.CountsOf(Owner).ReadOperations == Pages);
    }

    /// <summary>A page read by itself and verified.</summary>
    [Benchmark(OperationsPerInvoke = Pages, Description = "swap-in from the file, a page by itself")]
    public void LoadApart()
    {
        for (int i = 0; i < Pages; i++)
            Load(i * Step % Pages);
    }

    [GlobalSetup(Target = nameof(LoadInOrder))]
    public void SetUpLoadInOrder()
    {
        SetUp(SwapSpaceOptions.Standard);
        LoadInOrder();
        Expect(_space.CountsOf(Owner).ReadOperations < Pages / 6);
    }

    /// <summary>Pages in order, of which seven of eight were read ahead.</summary>
    [Benchmark(OperationsPerInvoke = Pages, Description = "the same, pages in order, eight to a read")]
    public void LoadInOrder()
    {
        for (int i = 0; i < Pages; i++)
            Load(i);
    }

    [GlobalSetup(Target = nameof(LoadPooled))]
    public void SetUpLoadPooled()
    {
        SetUp(SwapSpaceOptions.Standard with { CompressedPoolBytes = 1 << 30 });
        LoadPooled();
        Expect(_space.CountsOf(Owner).PoolHits == Pages);
    }

    /// <summary>A page decompressed and verified.</summary>
    [Benchmark(OperationsPerInvoke = Pages, Description = "swap-in from the compressed pool")]
    public void LoadPooled() => LoadInOrder();

    [GlobalSetup(Target = nameof(StoreWritten))]
    public void SetUpStoreWritten()
    {
        SetUp(SwapSpaceOptions.Standard);
        Expect(_space.CountsOf(Owner).WriteOperations == Pages / 16);
    }

    /// <summary>A page freed and stored, sixteen to a write; the thread that writes is not counted.</summary>
    [Benchmark(OperationsPerInvoke = Pages, Description = "swap-out to the file, the writer's thread left out")]
    public void StoreWritten() => StoreAgain();

    [GlobalSetup(Target = nameof(StorePooled))]
    public void SetUpStorePooled()
    {
        SetUp(SwapSpaceOptions.Standard with { CompressedPoolBytes = 1 << 30 });
        Expect(_space.CountsOf(Owner).PooledPages == Pages);
    }

    /// <summary>A page freed and compressed.</summary>
    [Benchmark(OperationsPerInvoke = Pages, Description = "swap-out to the compressed pool")]
    public void StorePooled() => StoreAgain();

    [GlobalSetup(Target = nameof(StoreZeros))]
    public void SetUpStoreZeros()
    {
        SetUp(SwapSpaceOptions.Standard);
        _page.AsSpan().Clear();
        StoreZeros();
        Expect(_space.CountsOf(Owner).ZeroPagesOut == Pages);
    }

    /// <summary>A page of zeros found out to be one.</summary>
    [Benchmark(OperationsPerInvoke = Pages, Description = "swap-out of a page of zeros")]
    public void StoreZeros()
    {
        for (int i = 0; i < Pages; i++)
        {
            _ = _space.Store(Owner, _page, _now, out SwapSlot slot);
            _space.Free(Owner, slot);
        }
    }

    [GlobalCleanup]
    public void CleanUp() => _space.Dispose();

    private void SetUp(SwapSpaceOptions options)
    {
        var device = new FileSwapDevice(new SwapFileOptions
        {
            Path = Path.Combine(Path.GetTempPath(), $"mmu86-bench-{Environment.ProcessId}.swap"),
            SizeInBytes = 4UL * Pages * SwapSlot.SizeInBytes,
            Allocation = SwapFileAllocation.Preallocated,
            QueuedWrites = 64,
        });
        _space = new SwapSpace(device, new SwapDeviceModel(SwapDeviceTimes.Find("nvme")!), options);
        for (int i = 0; i < Pages; i++)
            Store(i);
        _now = _space.Flush(_now);
        _ = _space.Flush(_now);
    }

    private void StoreAgain()
    {
        for (int i = 0; i < Pages; i++)
        {
            _space.Free(Owner, _slots[i]);
            Store(i);
        }
    }

    private void Store(int i)
    {
        SwapOutcome outcome = _space.Store(Owner, _pages[i], _now, out _slots[i]);
        Expect(outcome.IsDone);
        _now = outcome.ReadyAt;
    }

    private void Load(int i)
    {
        SwapOutcome outcome = _space.Load(Owner, _slots[i], _now, _page);
        Expect(outcome.IsDone);
        _now = outcome.ReadyAt;
    }

    private static void Expect(bool isSo)
    {
        if (!isSo)
            throw new MeasurementException("A page did not go the way that it was to be measured on.");
    }

    // Lines of a log with numbers: it shrinks to about a third, as much of memory does.
    private static byte[] Log(int number)
    {
        var random = new Random(number);
        byte[] page = new byte[SwapSlot.SizeInBytes];
        for (int at = 0; at < page.Length;)
        {
            byte[] line = System.Text.Encoding.ASCII.GetBytes($"{random.Next():x8} vcpu{random.Next(4)}: page {random.Next(100_000)} evicted, {random.Next(512)} left\n");
            int part = Math.Min(line.Length, page.Length - at);
            line.AsSpan(0, part).CopyTo(page.AsSpan(at));
            at += part;
        }

        return page;
    }
}
