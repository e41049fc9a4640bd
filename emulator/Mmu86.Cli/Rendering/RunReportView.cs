using System.Globalization;
using Mmu86.Lab.Diagnostics;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Spectre.Console;

namespace Mmu86.Cli.Rendering;

/// <summary>A run report for people, as <c>perf stat</c> prints one.</summary>
internal sealed class RunReportView
{
    private readonly IAnsiConsole _console;
    private readonly RunReport _report;
    private readonly RunCounts _whole;
    private readonly RunCounts? _measured;

    private RunReportView(IAnsiConsole console, RunReport report)
    {
        _console = console;
        _report = report;
        _whole = report.ToCounts();
        _measured = report.Measured;
    }

    /// <summary>Writes the report.</summary>
    public static void Write(IAnsiConsole console, RunReport report) => new RunReportView(console, report).Write();

    private void Write()
    {
        string paging = Enum.GetName(_report.Paging)!.ToLowerInvariant();
        string fidelity = Enum.GetName(_report.Fidelity)!.ToLowerInvariant();
        _console.WriteLine();
        _console.Write(new Text($" {_report.Program.Name} on {_report.Machine.Name}, {paging} paging, fidelity {fidelity}\n\n", new Style(decoration: Decoration.Bold)));
        WriteCounts();
        WriteTlb();
        WriteWalks();
        WriteCaches();
        WriteShadow();
        WriteRest();
        _console.WriteLine();
    }

    private void WriteCounts()
    {
        Table table = NewTable("", "whole run", _measured is null ? null : "between markers", "");
        Row("instructions", counts => counts.Instructions, PerSecond());
        if (_whole.RepIterations > 0)
            Row("REP iterations", counts => counts.RepIterations, "");
        if (_whole.Cycles is long cycles)
            Row("cycles", counts => counts.Cycles!.Value, $"{Ratio(cycles, _whole.Instructions)} per instruction");
        Row("loads", counts => counts.Accesses.Loads, "");
        Row("stores", counts => counts.Accesses.Stores, "");
        Row("fetches", counts => counts.Accesses.Fetches, "");
        Row("page-crossing accesses", counts => counts.Accesses.Splits, "");
        if (_whole.Accesses.Implicit > 0)
            Row("implicit accesses", counts => counts.Accesses.Implicit, "descriptors, TSS, exception stacks");
        Row("page faults", counts => counts.Faults.PageFaults, "");
        if (_whole.Faults.EptViolations is not null)
            Row("EPT violations", counts => counts.Faults.EptViolations ?? 0, "");
        if (_whole.Faults.NestedPageFaults is not null)
            Row("nested page faults", counts => counts.Faults.NestedPageFaults ?? 0, "");
        if (_whole.Faults.EptMisconfigurations > 0)
            Row("EPT misconfigurations", counts => counts.Faults.EptMisconfigurations ?? 0, "");
        _console.Write(table);
        _console.WriteLine();

        void Row(string name, Func<RunCounts, long> count, string note) => AddRow(table, name, count, note);
    }

    private void WriteTlb()
    {
        if (_whole.Tlb is not { } tlb)
            return;
        Table table = NewTable("TLB", "lookups", "hits", "misses", "missed", "MPKI", "evictions");
        AddLookups(table, "l1i", tlb.L1i, "l1i-");
        AddLookups(table, "l1d", tlb.L1d, "l1d-");
        AddLookups(table, "l2", tlb.L2, "l2");
        _console.Write(table);
        if (_report.MissClasses is { } misses)
            Line($"l1d misses: {Number(misses.Compulsory)} compulsory, {Number(misses.Capacity)} capacity, {Number(misses.Conflict)} conflict, {Number(misses.Invalidation)} invalidation");
        _console.WriteLine();
    }

    private void AddLookups(Table table, string level, LookupCounts? counts, string prefix)
    {
        if (counts is null)
            return;
        AddLookups(table, level, counts);
        (string Name, LookupCounts Counts)[] arrays = [.. _whole.Tlb!.Structures
            .Where(pair => pair.Key.StartsWith(prefix, StringComparison.Ordinal) && pair.Value.Lookups > 0)
            .Select(pair => (pair.Key, pair.Value))];
        if (arrays.Length < 2)
            return; // One array is the level.
        foreach ((string name, LookupCounts array) in arrays)
            AddLookups(table, $"  {name}", array);
    }

    private void AddLookups(Table table, string name, LookupCounts counts) => table.AddRow(
        name, Number(counts.Lookups), Number(counts.Hits), Number(counts.Misses), Percent(counts.Misses, counts.Lookups),
        Ratio(counts.Misses * 1000.0, _whole.Instructions), Number(counts.Evictions));

    private void WriteWalks()
    {
        if (_whole.Walks is not { } walks)
            return;
        string nested = TranslationWords.Nested(_report.Machine.Mmu.Nested.Format);
        Table table = NewTable("", "whole run", _measured is null ? null : "between markers", "");
        Row("walks", counts => counts.Count, walks.ByReason.Dirty + walks.ByReason.Rights == 0 ? "" : $"{Number(walks.ByReason.Dirty)} for dirty, {Number(walks.ByReason.Rights)} for rights");
        Row("references", counts => counts.References, $"{Ratio(walks.References, walks.Count)} per walk");
        if (walks.EptReferences > 0)
        {
            Row("  guest", counts => counts.GuestReferences, $"{Ratio(walks.GuestReferences, walks.Count)} per walk");
            Row($"  {nested}", counts => counts.EptReferences, $"{Ratio(walks.EptReferences, walks.Count)} per walk");
        }

        if (walks.Faulted > 0)
            Row("faulted walks", counts => counts.Faulted, $"{Number(walks.FaultedReferences)} references");
        Row("A/D updates", counts => counts.AdUpdates, "");
        if (walks.Cycles is long cycles)
            Row("walk cycles", counts => counts.Cycles ?? 0, $"{Percent(cycles, _whole.Cycles ?? 0)} of all cycles{(walks.ReferenceHits is null ? "" : ", as if nothing overlapped")}");
        foreach (string level in walks.ReferenceHits?.Keys ?? [])
            Row($"  found in {level}", counts => counts.ReferenceHits![level], $"{Percent(walks.ReferenceHits![level], walks.References)} of references");
        StructureCacheCounts caches = walks.StructureCaches;
        Cache("PML5E cache hits", caches.Pml5e, counts => counts.Pml5e);
        Cache("PML4E cache hits", caches.Pml4e, counts => counts.Pml4e);
        Cache("PDPTE cache hits", caches.Pdpte, counts => counts.Pdpte);
        Cache("PDE cache hits", caches.Pde, counts => counts.Pde);
        Cache($"{nested} PML4E cache hits", caches.EptPml4e, counts => counts.EptPml4e);
        Cache($"{nested} PDPTE cache hits", caches.EptPdpte, counts => counts.EptPdpte);
        Cache($"{nested} PDE cache hits", caches.EptPde, counts => counts.EptPde);
        Cache("nested TLB hits", caches.NestedTlb, counts => counts.NestedTlb);
        _console.Write(table);
        _console.WriteLine();

        void Row(string name, Func<WalkCounts, long> count, string note) => AddRow(table, name, counts => count(counts.Walks!), note);

        void Cache(string name, HitCounts? counts, Func<StructureCacheCounts, HitCounts?> select)
        {
            if (counts is not null)
                Row(name, walk => select(walk.StructureCaches)!.Hits, $"{Percent(counts.Hits, counts.Hits + counts.Misses)} of {Number(counts.Hits + counts.Misses)}");
        }
    }

    private void WriteShadow()
    {
        if (_whole.Shadow is not { } shadow)
            return;
        Table table = NewTable("shadow tables", "whole run", _measured is null ? null : "between markers", "");
        Row("VM exits", counts => counts.ExitCount, shadow.Cycles is long cycles ? $"{Percent(cycles, _whole.Cycles ?? 0)} of all cycles, with fills (estimate)" : "");
        Row("  control registers", counts => counts.Exits.CrWrites + counts.Exits.CrReads + counts.Exits.MsrWrites, "IA32_EFER too");
        Row("  INVLPG, INVPCID", counts => counts.Exits.Invlpg, "");
        Row("  hidden page faults", counts => counts.Exits.HiddenPageFaults, "");
        Row("  writes to tables in step", counts => counts.Exits.WriteProtectFaults, "");
        Row("  the guest's page faults", counts => counts.Exits.InjectedPageFaults, "");
        if (shadow.Exits.SingleSteps > 0)
            Row("  single steps", counts => counts.Exits.SingleSteps, "CR0.WP=0");
        Row("entries made", counts => counts.Fills, "");
        Row("entries compared", counts => counts.EntriesCompared, $"{Number(shadow.EntriesDropped)} differed");
        Row("frames of tables", counts => counts.ShadowTableFrames, shadow.RootsDropped == 0 ? "" : $"{Number(shadow.RootsDropped)} roots dropped for room");
        _console.Write(table);
        _console.WriteLine();

        void Row(string name, Func<ShadowPagingCounts, long> count, string note) => AddRow(table, name, counts => counts.Shadow is { } part ? count(part) : 0, note);
    }

    private void WriteCaches()
    {
        if (_whole.Caches is not { } caches)
            return;
        Table table = NewTable("caches", "references", "hits", "misses", "missed", "MPKI", "of walks", "walks' hits");
        foreach ((string name, CacheCounts counts) in caches)
        {
            table.AddRow(
                name, Number(counts.References), Number(counts.Hits), Number(counts.Misses), Percent(counts.Misses, counts.References),
                Ratio(counts.Misses * 1000.0, _whole.Instructions), Number(counts.WalkReferences), Number(counts.WalkHits));
        }

        _console.Write(table);
        _console.WriteLine();
    }

    private void WriteRest()
    {
        if (_report.Machine.Clock.Counts == ClockSource.Cycles)
            Line("the guest's clock counts cycles: what it sees depends on the fidelity");
        if (_report.Memory is { } memory)
        {
            if (memory.GuestFramesTouched is long guest)
                Line($"{Number(guest)} guest frames touched ({Mebibytes(guest)})");
            if (memory.HostFramesUsed is long host)
                Line($"{Number(host)} host frames used ({Mebibytes(host)})");
        }

        if (_report.Unsupported is { } unsupported)
        {
            WriteUnsupported("system calls that nobody answered", unsupported.SystemCalls);
            WriteUnsupported("ports that no device claims", unsupported.Ports);
            if ((unsupported.MmioReads ?? unsupported.MmioWrites) is not null)
                Line($"physical addresses that are neither RAM nor a device: {Number(unsupported.MmioReads ?? 0)} reads, {Number(unsupported.MmioWrites ?? 0)} writes; {Places(unsupported.MmioAccesses)}");
            if (unsupported.ModelSpecificRegisters is { } registers)
                Line($"model-specific registers that the processor does not have: {Places(registers)}");
        }

        if (_report.Devices?.LastPostCode is { } code)
            Line($"last POST code {code}");
        if (_report.Host is { } time)
            Line(string.Create(CultureInfo.InvariantCulture, $"{time.Seconds:F3} s of CPU time, {time.WallSeconds:F3} s elapsed"));
    }

    private void WriteUnsupported(string what, IReadOnlyDictionary<string, long>? counts)
    {
        if (counts is { Count: > 0 })
            Line($"{what}: {string.Join(", ", counts.Select(pair => $"{pair.Key} ({Number(pair.Value)})"))}");
    }

    // The first few of them; the JSON report has hundreds.
    private static string Places(IReadOnlyDictionary<string, UnclaimedUse>? places)
    {
        const int Shown = 12;
        if (places is null)
            return "";
        IEnumerable<string> first = places.Take(Shown).Select(pair => $"{pair.Key} ({Number(pair.Value.Reads + pair.Value.Writes)})");
        return string.Join(", ", first) + (places.Count > Shown ? $" and {Number(places.Count - Shown)} more" : "");
    }

    private void Line(string text) => _console.Write(new Text($" {text}\n"));

    private string PerSecond() => _report.Host?.Mips is double mips ? string.Create(CultureInfo.InvariantCulture, $"{mips:F1} million a second") : "";

    private void AddRow(Table table, string name, Func<RunCounts, long> count, string note)
    {
        string whole = Number(count(_whole));
        if (_measured is null)
            table.AddRow(name, whole, note);
        else
            table.AddRow(name, whole, Number(count(_measured)), note);
    }

    // The first column is names, the last of a table with notes is text, all others are numbers.
    private static Table NewTable(params ReadOnlySpan<string?> columns)
    {
        var table = new Table { Border = TableBorder.None };
        int index = 0;
        foreach (string? name in columns)
        {
            bool isText = index++ == 0 || name is "";
            if (name is null)
                continue;
            var column = new TableColumn(new Text(name, new Style(decoration: Decoration.Dim))) { NoWrap = true, Padding = new Padding(0, 0, 2, 0) };
            table.AddColumn(isText ? column : column.RightAligned());
        }

        return table;
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Ratio(double value, double by) => by == 0 ? "-" : (value / by).ToString("F2", CultureInfo.InvariantCulture);

    private static string Percent(long value, long of) => of == 0 ? "-" : (100.0 * value / of).ToString("F2", CultureInfo.InvariantCulture) + " %";

    private static string Mebibytes(long frames) => string.Create(CultureInfo.InvariantCulture, $"{frames / 256.0:F1} MiB");
}
