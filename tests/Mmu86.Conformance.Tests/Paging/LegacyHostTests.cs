using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.TestKit.Paging;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>AMD's nested tables of hosts in 32-bit and PAE paging, sampled against the reference walker, below a guest in 32-bit paging.</summary>
public sealed class LegacyHostTests
{
    // Frames in host memory: the guest's two tables and its page, then those of the host.
    private const ulong GuestDirectory = 0x10_1000;
    private const ulong GuestTable = 0x10_2000;
    private const ulong Page = 0x10_3000;
    private const ulong Root = 0x11_0000;
    private const ulong Tables = 0x11_1000;
    private const ulong PaeOffset = 0x460;
    private const ulong Linear = 0x40C3_4AB8;

    // Where the guest believes its frames to lie: in three different GiB.
    private static readonly ulong[] s_guest = [0x4000_0000 + GuestDirectory, 0x8000_0000 + GuestTable, 0xC000_0000 + Page];
    private static readonly ulong[] s_host = [GuestDirectory, GuestTable, Page];

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [Rule("N01")]
    public void Access_SampledTablesOfALegacyHost_AgreesWithTheReference(int levels)
    {
        var log = new MismatchLog();
        var tally = new OutcomeTally();
        MmuConfiguration[] machines = [TestMmuConfigurations.Uncached(), TestMmuConfigurations.Ideal(), TestMmuConfigurations.SmallSkylake()];
        using var memory = new HostMemory(16 << 20);
        HostFrameNumber[] frames = [.. Enumerable.Range(0, 0x20).Select(index => new HostFrameNumber(0x100 + (ulong)index))];
        MmuRig[] rigs = [.. machines.Select((machine, index) =>
        {
            MmuConfiguration own = machine with { PhysicalAddressBits = 40 + (2 * index), Nested = machine.Nested with { Format = NestedFormat.Npt } };
            return new MmuRig($"{levels}-level host {index}", own, MmuUnderTest.Create(own, memory), memory, frames);
        })];

        int cases = TestTiers.Pick(6_000, 30_000, 300_000);
        for (int number = 0; number < cases && !log.IsFull; number++)
            Run(number, levels, memory, rigs[number % rigs.Length], log, tally);

        log.AssertNone();
        tally.AssertMet(
        [
            .. Enumerable.Range(1, 5).Select(reference => $"NestedPageFault at reference {reference}"),
            "NestedPageFault at reference 8",
            "PageFault None",
        ]);
    }

    private static void Run(int number, int levels, HostMemory memory, MmuRig rig, MismatchLog log, OutcomeTally tally)
    {
        Random random = TestSeed.Case(number);
        var sampler = new EntrySampler(random);
        bool isPae = levels == 3;
        Cr4 host = isPae ? Cr4.PhysicalAddressExtension : sampler.Once(3) ? Cr4.None : Cr4.PageSizeExtensions;
        Efer efer = sampler.Once(3) ? Efer.None : Efer.NoExecuteEnable;
        ulong control = (sampler.Once(3) ? 1UL << 3 : 0) | (sampler.Once(3) ? 1UL << 6 : 0);
        var vmrun = new NestedPagingHost
        {
            NestedCr3 = Root | (isPae ? PaeOffset : 0),
            Cr0 = Cr0.Paging,
            Cr4 = host,
            Efer = efer,
            Control = control,
            GuestPat = 0x0007_0406_0007_0406,
            Asid = 1,
        };
        Assert.True(NptPointer.TryMake(vmrun, TestMmuConfigurations.Nested(), rig.Capabilities.PhysicalAddressBits, out ulong pointer));

        for (int page = 0; page < s_guest.Length; page++)
            DrawNested(memory, sampler, random, page, isPae);
        memory.Write(new HostPhysicalAddress(GuestDirectory + ((Linear >> 22) * 4)), (uint)(s_guest[1] & ~0xFFFUL | GuestFlags(sampler)));
        memory.Write(new HostPhysicalAddress(GuestTable + (((Linear >> 12) & 0x3FF) * 4)), (uint)(s_guest[2] & ~0xFFFUL | GuestFlags(sampler)));
        rig.Reset(new PagingContext
        {
            Cr0 = Cr0.ProtectionEnable | Cr0.Paging,
            Cr3 = s_guest[0],
            Cr4 = Cr4.None,
            Efer = Efer.None,
            Eptp = pointer,
            Vpid = 1,
        });
        rig.Mmu.TryApplyTlbControl(1);
        for (int access = 0; access < 3 && !log.IsFull; access++)
        {
            if (access == 2)
            {
                DrawNested(memory, sampler, random, random.Next(s_guest.Length), isPae);
                rig.Mmu.TryApplyTlbControl(3);
            }

            ReferenceWalk walk = rig.Expect(new ReferenceAccess(new(Linear), sampler.Kind(), sampler.Mode()));
            tally.Add(walk);
            if (rig.Judge(walk) is { } mismatch)
                log.Add($"case {number} access {access} on {rig.Name}: {walk.Access} [{pointer:x}]\n    " + string.Join("\n    ", walk.References), mismatch.Expected, mismatch.Got);
        }
    }

    private static ulong GuestFlags(EntrySampler sampler) => sampler.LenientGuestFlags() & 0xFFF & ~PagingEntry.PageSizeBit;

    private static void DrawNested(HostMemory memory, EntrySampler sampler, Random random, int page, bool isPae)
    {
        ulong guest = s_guest[page];
        bool isLarge = sampler.Once(4);
        ulong table = Tables + ((ulong)page << 13);
        ulong frame = s_host[page];
        if (!isPae)
        {
            // 4 MiB: bits 21:12 of the address are the guest's, which host and guest share. Now and then the frame lies above 4 GiB, where no RAM is.
            ulong large = (frame & 0xFFC0_0000) | (sampler.Once(20) ? (ulong)random.Next(512) << 13 : 0) | PagingEntry.PageSizeBit;
            memory.Write(new HostPhysicalAddress(Root + ((guest >> 22) * 4)), (uint)((isLarge ? large : table) | (Flags(sampler) & 0xE7F)));
            memory.Write(new HostPhysicalAddress(table + (((guest >> 12) & 0x3FF) * 4)), (uint)(frame | (Flags(sampler) & 0xE7F)));
            return;
        }

        ulong pointer = table | PagingEntry.Present | (sampler.Once(20) ? 1UL << random.Next(64) : 0);
        memory.Write(new HostPhysicalAddress((Root | PaeOffset) + ((guest >> 30) * 8)), sampler.Once(40) ? pointer & ~PagingEntry.Present : pointer);
        ulong entry = isLarge ? (frame & ~0x1F_FFFFUL) | PagingEntry.PageSizeBit : table + 0x1000;
        memory.Write(new HostPhysicalAddress(table + (((guest >> 21) & 0x1FF) * 8)), entry | Flags(sampler));
        memory.Write(new HostPhysicalAddress(table + 0x1000 + (((guest >> 12) & 0x1FF) * 8)), frame | Flags(sampler));
    }

    // Bits 62:52 are reserved in PAE paging: those that software may use elsewhere seldom.
    private static ulong Flags(EntrySampler sampler)
    {
        ulong flags = sampler.NptFlags(mapsPage: false);
        return sampler.Once(30) ? flags : flags & ~0x7FF0_0000_0000_0000UL;
    }
}
