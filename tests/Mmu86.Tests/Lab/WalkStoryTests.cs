using System.Text;
using System.Text.Json.Nodes;
using Mmu86.Lab.Diagnostics;
using Mmu86.Lab.Machines;
using Mmu86.Paging;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Lab;

public sealed class WalkStoryTests
{
    private const ulong GuestFlags = PagingEntry.Present | PagingEntry.Writable | PagingEntry.User | PagingEntry.Accessed;
    private const ulong EptFlags = EptEntry.Rights;

    private static readonly PagingContext s_nested = new()
    {
        Cr0 = Cr0.ProtectionEnable | Cr0.Paging,
        Cr3 = 0x5000,
        Cr4 = Cr4.PhysicalAddressExtension,
        Efer = Efer.LongModeActive | Efer.LongModeEnable,
        Eptp = 0x10_001E,
        Vpid = 1,
    };

    [Fact]
    public void Tell_NestedWalk_ExplainsWhatEptTranslatesAndEndsWithTheHostFrame()
    {
        string story = WalkStory.Tell(NestedTrace(), null, s_nested, NestedFormat.Ept);
        Assert.Equal(
            """
            A write of L:0x40abc on behalf of user mode.
            No TLB has the translation: the tables are walked.
            CR3 is 0x5000: the PML4 table is at G:0x5000.
            EPTP is 0x10001e: guest-physical addresses go through EPT from H:0x100000 on.

              EPT translates G:0x5000 to find the PML4E:
                 1  EPT PDE    H:0x101000  0x00000000002000b7  R W X WB PS  -> 2 MiB page at H:0x200000  [read from memory]
               2  PML4E      G:0x5000 = H:0x205000  0x0000000000006027  P R/W U/S A  -> PDPT at G:0x6000  [read from memory]
               3  PDE        H:0x206000  0x0000000000007027  P R/W U/S A  -> page table at G:0x7000  [PDE cache answers]
               4  PTE        G:0x7200 = H:0x207200  0x0000000000009027  P R/W U/S A (then D set)  -> 4 KiB page at G:0x9000  [read from memory]
              EPT translates G:0x9abc to find the byte itself:
                 5  EPT PDE    H:0x101000  0x00000000002000b7  R W X WB PS  -> 2 MiB page at H:0x200000  [nested TLB answers]

            L:0x40abc is G:0x9abc for the guest and H:0x209abc in the host, frame 0x209.
            Guest page 4 KiB, EPT page 2 MiB, TLB entry 4 KiB; user page, writable, executable; EPT RWX.
            3 references to memory; caches of partial walks answer for 2 entries.

            """,
            story);
    }

    // APM 2, "Page-Translation-Table Entry Fields": bit 63 is NX, and a nested entry has the ordinary flags. "Nested Paging": nCR3 and nested page tables.
    [Fact]
    public void Tell_WalkOfNestedPageTables_HasAmdsWords()
    {
        const ulong Entry = 0x8000_0000_0020_00E7;
        WalkReference nested = Ept(WalkSource.Memory) with { Before = Entry & ~PagingEntry.Dirty, After = Entry };
        WalkTrace trace = NestedTrace() with
        {
            References = [nested, NestedTrace().References[1], Ept(WalkSource.EptPdeCache) with { Level = 5, Before = 0, After = 0 }],
            HostPhysical = null,
            GuestPhysical = null,
            Fault = new TranslationFault
            {
                Failure = TranslationFailure.NestedPageFault,
                Linear = new LinearAddress(0x40abc),
                GuestPhysical = new GuestPhysicalAddress(0x9abc),
                NestedErrorCode = NestedPageFaultErrorCode.User | NestedPageFaultErrorCode.Write | NestedPageFaultErrorCode.FinalAddress,
            },
        };

        string story = WalkStory.Tell(trace, null, s_nested with { Eptp = 0x10_001B }, NestedFormat.Npt);

        Assert.Equal(
            """
            A write of L:0x40abc on behalf of user mode.
            No TLB has the translation: the tables are walked.
            CR3 is 0x5000: the PML4 table is at G:0x5000.
            nCR3 is 0x100000: guest-physical addresses go through nested page tables from H:0x100000 on.

              Nested paging translates G:0x5000 to find the PML4E:
                 1  nested PDE    H:0x101000  0x80000000002000a7  P R/W U/S A PS NX (then D set)  -> 2 MiB page at H:0x200000  [read from memory]
               2  PML4E         G:0x5000 = H:0x205000  0x0000000000006027  P R/W U/S A  -> PDPT at G:0x6000  [read from memory]
              Nested paging translates G:0x9abc to find the byte itself:
                 3  nested PML5E  H:0x101000  0x0000000000000000  not present  -> nothing  [nested PDE cache answers]

            It ends in a fault: nested page fault at G:0x9abc, EXITINFO1 0x100000006: a write of the address itself met an entry that is not present.

            """,
            story);
    }

    [Fact]
    public void Tell_NotPresent_EndsWithTheFault()
    {
        WalkTrace trace = NestedTrace() with
        {
            References = [Guest(4, 0x5000, 0)],
            HostPhysical = null,
            Fault = new TranslationFault
            {
                Failure = TranslationFailure.PageFault,
                Linear = new LinearAddress(0x40abc),
                ErrorCode = PageFaultErrorCode.User | PageFaultErrorCode.Write,
            },
        };
        string story = WalkStory.Tell(trace, null, s_nested, NestedFormat.Ept);
        Assert.Contains("  not present  -> nothing  [read from memory]\n", story);
        Assert.EndsWith("It ends in a fault: #PF with error code 0x6 at L:0x40abc: a user write met an entry that is not present.\n", story);
    }

    [Fact]
    public void Tell_TranslationInATlb_SaysThatNothingIsReadAndWhatTheTablesSay()
    {
        string[] lines = WalkStory.Tell(Answered(0x209abc), NestedTrace(), s_nested, NestedFormat.Ept).TrimEnd('\n').Split('\n');

        Assert.Equal("The second-level TLB has the translation: no table is read. The tables say:", lines[1]);
        Assert.Contains("   4  PTE        G:0x7200 = H:0x207200  0x0000000000009027  P R/W U/S A  -> 4 KiB page at G:0x9000", lines);
        Assert.DoesNotContain(lines, line => line.Contains("read from", StringComparison.Ordinal) || line.Contains("then", StringComparison.Ordinal));
        Assert.Equal("L:0x40abc is G:0x9abc for the guest and H:0x209abc in the host, frame 0x209.", lines[^3]);
        Assert.Equal("No reference to memory; 5 entries stand in the tables on the way.", lines[^1]);
    }

    [Fact]
    public void Tell_TranslationInATlbThatTheTablesHaveNoMore_CallsTheEntryStale()
    {
        string elsewhere = WalkStory.Tell(Answered(0x777abc), NestedTrace(), s_nested, NestedFormat.Ept);
        Assert.EndsWith(" way.\nThe TLB's entry is stale: the tables lead to H:0x209abc.\n", elsewhere);
        Assert.Contains("\nL:0x40abc is H:0x777abc in the host, frame 0x777.\n", elsewhere);

        WalkTrace nowhere = NestedTrace() with
        {
            References = [Guest(4, 0x5000, 0)],
            HostPhysical = null,
            GuestPhysical = null,
            Fault = new TranslationFault { Failure = TranslationFailure.PageFault, Linear = new LinearAddress(0x40abc), ErrorCode = PageFaultErrorCode.User },
        };
        Assert.EndsWith(
            "\nThe TLB's entry is stale: the tables end in a fault, #PF with error code 0x4 at L:0x40abc: a user read met an entry that is not present.\n",
            WalkStory.Tell(Answered(0x777abc), nowhere, s_nested, NestedFormat.Ept));
    }

    [Fact]
    public void ToJson_ExplanationOfATlbHit_HasNoWalkAndTheEntriesOfTheTables()
    {
        var explanation = new Explanation
        {
            Instruction = new InstructionText(7, 0x401000, [0x89, 0x08], "mov [rax],ecx"),
            Place = null,
            Expression = "rax",
            Context = s_nested,
            Trace = Answered(0x209abc),
            Tables = NestedTrace(),
        };

        TranslationRecord record = new TranslationRecords(MachineCatalogue.Preset("skylake")).Build(explanation);

        Assert.Equal("l2", record.Hit);
        Assert.Empty(record.Walk);
        Assert.Equal(5, record.Tables!.Count);
        Assert.All(record.Tables, step => Assert.Equal((step.Before, 0), (step.After, step.Cycles)));
    }

    [Fact]
    public void Tell_NonCanonical_SaysSoAtOnce()
    {
        WalkTrace trace = NestedTrace() with
        {
            References = [],
            HostPhysical = null,
            Fault = new TranslationFault { Failure = TranslationFailure.NonCanonical, Linear = new LinearAddress(1UL << 63) },
        };
        Assert.EndsWith("\nIt ends in a fault: L:0x8000000000000000 is not canonical.\n", WalkStory.Tell(trace, null, s_nested, NestedFormat.Ept));
    }

    [Fact]
    public void ToJson_NestedWalk_HasTheKeysOfTheContract()
    {
        var records = new TranslationRecords(MachineCatalogue.Preset("skylake"));
        TranslationRecord record = records.Build(new InstructionText(7, 0x401000, [0x89, 0x08], "mov [rax],ecx"), new InspectedAccess(1, 4, NestedTrace()));
        JsonObject line = JsonNode.Parse(Encoding.UTF8.GetString(TranslationRecords.ToJson(record).Span))!.AsObject();
        Assert.Equal(
            "schema n rip bytes asm access linear hit walk guestPageSize hostPageSize entryPageSize guestPhysical hostPhysical rights",
            string.Join(' ', line.Select(pair => pair.Key)));
        Assert.Equal("""{"kind":"write","size":4,"index":1}""", line["access"]!.ToJsonString());
        Assert.Equal("walk", (string?)line["hit"]);
        Assert.Equal("0x401000 8908", $"{line["rip"]} {line["bytes"]}");
        JsonObject step = line["walk"]![3]!.AsObject();
        Assert.Equal("dim level entry guestEntry before after source cycles", string.Join(' ', step.Select(pair => pair.Key)));
        Assert.Equal("guest 1 0x207200 0x9027 0x9067 memory 5", $"{step["dim"]} {step["level"]} {step["entry"]} {step["before"]} {step["after"]} {step["source"]} {step["cycles"]}");
        Assert.Equal("nestedTlb 0", $"{line["walk"]![4]!["source"]} {line["walk"]![4]!["cycles"]}");
        Assert.Equal("0x9abc 0x209abc 4k 2m 4k", $"{line["guestPhysical"]} {line["hostPhysical"]} {line["guestPageSize"]} {line["hostPageSize"]} {line["entryPageSize"]}");
    }

    [Fact]
    public void ToJson_EptViolation_IsAnExitAndNoFault()
    {
        var records = new TranslationRecords(MachineCatalogue.Preset("skylake"));
        WalkTrace trace = NestedTrace() with
        {
            HostPhysical = null,
            Fault = new TranslationFault
            {
                Failure = TranslationFailure.EptViolation,
                Linear = new LinearAddress(0x40abc),
                GuestPhysical = new GuestPhysicalAddress(0x9abc),
                Qualification = EptViolationQualification.Write | EptViolationQualification.LinearAddressValid | EptViolationQualification.FinalTranslation,
            },
        };
        TranslationRecord record = records.Build(new InstructionText(0, 0, null, null), new InspectedAccess(0, null, trace));
        Assert.Null(record.Fault);
        Assert.Equal(("eptViolation", "0x9abc", "0x182"), (record.Exit!.Kind, record.Exit.GuestPhysical, record.Exit.Qualification));
    }

    // As an observed machine tells a hit: the guest-physical address is in no TLB entry.
    private static WalkTrace Answered(ulong host) => NestedTrace() with
    {
        Hit = TranslationHit.L2,
        Reason = null,
        References = [],
        GuestPhysical = null,
        HostPhysical = new HostPhysicalAddress(host),
    };

    private static WalkTrace NestedTrace() => new()
    {
        Linear = new LinearAddress(0x40abc),
        Kind = AccessKind.Write,
        Mode = AccessMode.User,
        Hit = TranslationHit.None,
        Reason = WalkReason.Miss,
        References =
        [
            Ept(WalkSource.Memory),
            Guest(4, 0x5000, 0x6000 | GuestFlags),
            Guest(2, null, 0x7000 | GuestFlags) with { Entry = new HostPhysicalAddress(0x206000), Source = WalkSource.PdeCache },
            Guest(1, 0x7200, 0x9000 | GuestFlags) with { After = 0x9000 | GuestFlags | PagingEntry.Dirty },
            Ept(WalkSource.NestedTlb),
        ],
        GuestPageSize = PageSize.Size4K,
        HostPageSize = PageSize.Size2M,
        EntryPageSize = PageSize.Size4K,
        GuestPhysical = new GuestPhysicalAddress(0x9abc),
        HostPhysical = new HostPhysicalAddress(0x209abc),
        Rights = TranslationRights.Writable | TranslationRights.User | TranslationRights.Executable | TranslationRights.Dirty
            | TranslationRights.EptRead | TranslationRights.EptWrite | TranslationRights.EptExecute,
    };

    private static WalkReference Guest(int level, ulong? guest, ulong entry) => new()
    {
        Dimension = WalkDimension.Guest,
        Level = level,
        Entry = guest is { } address ? new HostPhysicalAddress(0x200000 + address) : null,
        GuestEntry = guest is { } known ? new GuestPhysicalAddress(known) : null,
        Before = entry,
        After = entry,
        Source = WalkSource.Memory,
    };

    private static WalkReference Ept(WalkSource source) => new()
    {
        Dimension = WalkDimension.Ept,
        Level = 2,
        Entry = new HostPhysicalAddress(0x101000),
        GuestEntry = null,
        Before = 0x200000 | EptFlags | EptEntry.PageSizeBit | EptEntry.MemoryTypeWriteBack,
        After = 0x200000 | EptFlags | EptEntry.PageSizeBit | EptEntry.MemoryTypeWriteBack,
        Source = source,
    };
}
