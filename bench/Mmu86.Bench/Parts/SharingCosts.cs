using BenchmarkDotNet.Attributes;
using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Sharing;
using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Bench.Parts;

/// <summary>What a page costs that is looked at, shared, and written to again. More memory than the real machine's caches hold.</summary>
/// <remarks>Without the VM exit and what MMUs forget: <see cref="TranslationCosts"/> has those. Each benchmark checks by the counts what became of its pages.</remarks>
public class SharingCosts
{
    private const int Pages = 1 << 16;

    private VirtualHost _host = null!;
    private VirtualMachine[] _machines = [];
    private PageSharing _sharing = null!;

    [GlobalSetup(Target = nameof(LookAt))]
    public void SetUpLookAt()
    {
        SetUp(machines: 1);
        LookAt();
    }

    /// <summary>A page that nobody else has: its hash leads nowhere, and its hint is there already.</summary>
    [Benchmark(OperationsPerInvoke = Pages, Description = "sharing: a page looked at that stays alone")]
    public void LookAt()
    {
        ulong before = _sharing.Counts.Scanned;
        _sharing.ScanAll(_machines);
        Expect(_sharing.Counts.Scanned - before == Pages && _sharing.Counts.Merged == 0);
    }

    [GlobalSetup(Targets = [nameof(Merge), nameof(Copy)])]
    public void SetUpTwo() => SetUp(machines: 2);

    [IterationSetup(Target = nameof(Merge))]
    public void MakeAllAlone()
    {
        foreach (VirtualMachine machine in _machines)
            WriteAll(machine);
    }

    /// <summary>Two pages looked at, compared, and made one: the frame of the second is free.</summary>
    [Benchmark(OperationsPerInvoke = Pages, Description = "sharing: two pages looked at and made one")]
    public void Merge()
    {
        ulong before = _sharing.Counts.Merged;
        _sharing.ScanAll(_machines);
        Expect(_sharing.Counts.Merged - before == Pages);
    }

    [IterationSetup(Target = nameof(Copy))]
    public void MakeAllShared()
    {
        MakeAllAlone();
        _sharing.ScanAll(_machines);
    }

    /// <summary>A shared page written to: it gets a scrubbed frame of its own and the bytes.</summary>
    [Benchmark(OperationsPerInvoke = Pages, Description = "sharing: a shared page copied for its writer")]
    public void Copy()
    {
        ulong before = _machines[0].Memory.Counts.SharedCopied;
        WriteAll(_machines[0]);
        Expect(_machines[0].Memory.Counts.SharedCopied - before == Pages);
    }

    [GlobalCleanup]
    public void CleanUp()
    {
        foreach (VirtualMachine machine in _machines)
            machine.Dispose();
        _host.Dispose();
    }

    private void SetUp(int machines)
    {
        const ulong Bytes = (ulong)Pages << 12;
        _host = new VirtualHost(new HostMemory((Bytes * (ulong)machines) + (Bytes >> 4)), VirtualHostOptions.Standard);
        _sharing = new PageSharing(_host, PageSharingOptions.At(1, 1));
        _machines = new VirtualMachine[machines];
        byte[] page = new byte[4096];
        for (int machine = 0; machine < machines; machine++)
        {
            _machines[machine] = new VirtualMachine(_host, new GuestMemoryOptions
            {
                SizeInBytes = Bytes,
                PageSize = PageSize.Size4K,
                Format = NestedFormat.Ept,
                TracksAccesses = true,
            });
            for (int i = 0; i < Pages; i++)
            {
                new Random(i).NextBytes(page);
                _machines[machine].Memory.Write(new GuestFrameNumber((ulong)i).Address, page);
            }
        }
    }

    private static void WriteAll(VirtualMachine machine)
    {
        for (ulong i = 0; i < Pages; i++)
            Expect(machine.Memory.BringIn(new GuestFrameNumber(i).Address) == PopulateResult.Mapped);
    }

    private static void Expect(bool isSo)
    {
        if (!isSo)
            throw new MeasurementException("A page did not become what was to be measured.");
    }
}
