using Mmu86.Memory;
using Mmu86.Paging;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>An MMU and the judge beside it.</summary>
internal sealed class MmuRig
{
    private static readonly Dictionary<ulong, EntryFlags> s_noFlags = [];
    private static readonly string[] s_allSizes = ["4k", "2m", "1g"];

    private readonly HostMemory _memory;
    private readonly TableSnapshot _snapshot;
    private readonly bool _holdsEverySize;
    private readonly bool _isUncached;

    /// <summary>Puts the judge beside an MMU.</summary>
    /// <param name="name">For messages.</param>
    /// <param name="configuration">The machine.</param>
    /// <param name="mmu">The MMU of that machine.</param>
    /// <param name="memory">What it translates.</param>
    /// <param name="tables">Every frame that holds a table.</param>
    public MmuRig(string name, MmuConfiguration configuration, IMmu mmu, HostMemory memory, IEnumerable<HostFrameNumber> tables)
    {
        Name = name;
        Mmu = mmu;
        _memory = memory;
        _snapshot = new TableSnapshot(memory, tables);
        Capabilities = ReferenceCapabilities.Of(configuration);
        StructureCachesConfiguration caches = configuration.StructureCaches;
        _isUncached = mmu is not ReferenceMmu
            && configuration.L1Instruction.Arrays.Count + configuration.L1Data.Arrays.Count + configuration.L2.Arrays.Count == 0
            && caches == TestMmuConfigurations.Structures(TestMmuConfigurations.Entries(0));
        _holdsEverySize = ((TlbLevelConfiguration[])[configuration.L1Instruction, configuration.L1Data, configuration.L2])
            .SelectMany(level => level.Arrays)
            .All(array => s_allSizes.All(array.PageSizes.Contains));
    }

    /// <summary>The name of the machine, for messages.</summary>
    public string Name { get; }

    /// <summary>What the machine has, as the reference walker sees it.</summary>
    public ReferenceCapabilities Capabilities { get; }

    /// <summary>The MMU.</summary>
    public IMmu Mmu { get; }

    /// <summary>Who is told of its translations, where they are compared with inspections; else null.</summary>
    public WalkWatcher? Watcher { get; init; }

    /// <summary>Empties every cache of the MMU and puts a context in force.</summary>
    public void Reset(in PagingContext context)
    {
        Mmu.SetContext(context);
        Mmu.InvalidateAll();
        if (context.IsNested)
            Mmu.InvalidateEptAll();
    }

    /// <summary>Makes one access and compares everything that shows with what the manual allows, given memory as it is now.</summary>
    /// <returns>Null where they agree; else what was expected and what came.</returns>
    public (string Expected, string Got)? Judge(ReferenceAccess access)
    {
        ReferenceWalk walk = Expect(access);
        return Judge(walk);
    }

    /// <summary>What the reference walker says, given memory as it is now.</summary>
    public ReferenceWalk Expect(ReferenceAccess access) =>
        new ReferenceWalker(new HostReferenceMemory(_memory), Capabilities, Mmu.Context).Walk(access);

    /// <summary>Makes the access of a reference walk that was just made, and compares.</summary>
    /// <returns>Null where they agree; else what was expected and what came.</returns>
    public (string Expected, string Got)? Judge(ReferenceWalk walk)
    {
        _snapshot.Take();
        ReferenceAccess access = walk.Access;
        ushort logIndex = Mmu.Context.Nested?.PageModificationIndex ?? 0;
        if (CompareTables(walk) is { } read)
            return read;
        WalkTrace forecast = Mmu.Inspect(access.Linear, access.Kind, access.Mode);
        if (_snapshot.Compare(s_noFlags) is { } written)
            return ("an inspection that writes nothing", written);
        if (Mmu.Context.Nested is { } controls && controls.PageModificationIndex != logIndex)
            return ("an inspection that logs nothing", $"index {controls.PageModificationIndex}");
        WalkStatistics? before = _isUncached ? Mmu.Statistics.Walks : null;
        bool succeeded = Mmu.TryTranslate(access.Linear, access.Kind, access.Mode, out Translation translation);
        if (CompareForecast(forecast, succeeded, translation) is { } foretold)
            return foretold;
        if (succeeded)
        {
            if (walk.Translation is not { } expected || !Agree(expected, translation))
                return (walk.Outcome, translation.ToString());
        }
        else if (!walk.Allows(Mmu.Fault))
        {
            string others = string.Concat(walk.OtherLegalFaults.Select(fault => $" or {ReferenceWalk.Describe(fault)}"));
            return (walk.Outcome + others, ReferenceWalk.Describe(Mmu.Fault));
        }

        if (CompareLog(walk, logIndex) is { } logged)
            return logged;
        if (before is not null && CompareCounts(walk, Mmu.Statistics.Walks.Since(before)) is { } counts)
            return counts;
        return _snapshot.Compare(walk.Flags) is { } difference ? ($"{walk.Outcome}, flags as the manual says", difference) : null;
    }

    /// <summary>An inspection tells what the access then does; to a watcher it is told with every step.</summary>
    private (string Expected, string Got)? CompareForecast(WalkTrace forecast, bool succeeded, in Translation translation)
    {
        if (forecast.HostPhysical != (succeeded ? translation.Address : null)
            || forecast.EntryPageSize != (succeeded ? translation.EntryPageSize : null)
            || forecast.Fault != (succeeded ? null : Mmu.Fault))
            return ($"as an inspection told: {WalkWatcher.Text(forecast)}", succeeded ? translation.ToString() : ReferenceWalk.Describe(Mmu.Fault));
        return Watcher is { Last: { } made } && WalkWatcher.Text(made) != WalkWatcher.Text(forecast)
            ? ($"as an inspection told: {WalkWatcher.Text(forecast)}", WalkWatcher.Text(made))
            : null;
    }

    /// <summary>A walk of the tables alone goes by memory as it is, tells every reference in order, and leaves no trace.</summary>
    private (string Expected, string Got)? CompareTables(ReferenceWalk walk)
    {
        WalkTrace trace = Mmu.ReadTables(walk.Access.Linear, walk.Access.Kind, walk.Access.Mode);
        // The log filled up within this walk. Such a walk sets no flags, so of an upper entry that is used twice it believes twice that
        // accessed must be set, and may see the full log earlier.
        if (walk.Logged.Count > 0 && trace.Fault is { Failure: TranslationFailure.PageModificationLogFull })
            return null;
        if (trace.Fault is { } fault ? !walk.Allows(fault) : trace.HostPhysical != walk.Translation?.Address)
            return ($"a walk of the tables that ends in {walk.Outcome}", trace.Fault is { } got ? ReferenceWalk.Describe(got) : $"{trace.HostPhysical}");

        IEnumerable<ReferenceStep> steps = trace.References
            .Select(reference => new ReferenceStep(reference.Dimension, reference.Level, reference.Entry ?? default, reference.Before));
        if (!walk.AreReferencesOpen && !steps.SequenceEqual(walk.References))
            return ("a walk of the tables with\n    " + string.Join("\n    ", walk.References), string.Join("\n    ", steps));
        return _snapshot.Compare(s_noFlags) is { } difference ? ("a walk of the tables that writes nothing", difference) : null;
    }

    /// <summary>The page-modification log: what a successful walk demands, or the beginning of what one that failed would have.</summary>
    private (string Expected, string Got)? CompareLog(ReferenceWalk walk, ushort indexBefore)
    {
        if (Mmu.Context.Nested is not { PageModificationLog: { } log } controls)
            return null;
        int count = (ushort)(indexBefore - controls.PageModificationIndex);
        ulong[] got = [.. Enumerable.Range(0, count).Select(entry => _memory.Read<ulong>(new HostPhysicalAddress(log.Value + ((ulong)(indexBefore - entry) * 8))))];
        ulong[] expected = [.. walk.Logged.Take(walk.Translation is null ? count : walk.Logged.Count)];
        return got.SequenceEqual(expected)
            ? null
            : ($"log entries {string.Join(' ', expected.Select(entry => $"0x{entry:x}"))}", string.Join(' ', got.Select(entry => $"0x{entry:x}")));
    }

    /// <summary>Without caches every reference of the reference walker is one of the MMU, and an entry whose flags change is one update.</summary>
    private static (string Expected, string Got)? CompareCounts(ReferenceWalk walk, WalkStatistics counted)
    {
        // How many references a refused update takes is open; a non-canonical address and one without paging are no walk.
        if (walk.AreReferencesOpen || walk.References.Count == 0)
            return null;
        ulong references = (ulong)walk.References.Count;
        if (walk.Translation is null)
            return counted.FaultedReferences == references ? null : ($"{references} faulted references", $"{counted.FaultedReferences}");

        ulong guest = (ulong)walk.References.Count(step => step.Dimension == WalkDimension.Guest);
        var before = walk.References.DistinctBy(step => step.Address).ToDictionary(step => step.Address.Value, step => step.Value);
        ulong updates = (ulong)walk.Flags.Count(pair => (pair.Value.Must & ~before[pair.Key]) != 0);
        var expected = (1UL, guest, references - guest);
        var got = (counted.Count, counted.GuestReferences, counted.EptReferences);
        if (expected != got)
            return ($"(walks, guest, EPT references) {expected}", got.ToString());
        // An entry used twice in a walk may be updated twice: once for A, once for D.
        return counted.FlagUpdates == updates || before.Count < walk.References.Count ? null : ($"{updates} flag updates", $"{counted.FlagUpdates}");
    }

    private bool Agree(in ReferenceTranslation expected, in Translation got)
    {
        if (expected.Address != got.Address || got.IsRam != _memory.IsRam(got.Address))
            return false;
        // Without paging and without EPT there is no page, and so no size to compare.
        if (expected.EntryPageSize is not { } size)
            return true;
        // A TLB that lacks a size holds a fragment, so the entry that answered may be smaller than the page, never larger.
        // While CR0.PG=0 there is no guest page whose size the entry must have.
        return _holdsEverySize && expected.GuestPageSize is not null ? got.EntryPageSize == size : got.EntryPageSize <= size;
    }
}
