using System.Text;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Diagnostics;

/// <summary>Tells one translation step by step: every entry with its dimension, level, address, value, flags and where it is found.</summary>
public sealed class WalkStory
{
    private readonly StringBuilder _text = new();
    private readonly WalkTrace _trace;

    // Where the steps come from: the trace itself, or what the tables say.
    private readonly WalkTrace _walk;
    private readonly PagingContext _context;
    private readonly NestedFormat _format;
    private int _number;

    private WalkStory(WalkTrace trace, WalkTrace? tables, in PagingContext context, NestedFormat format)
    {
        _trace = trace;
        _walk = tables ?? trace;
        _context = context;
        _format = format;
    }

    /// <summary>Tells an inspection.</summary>
    /// <param name="trace">By <see cref="IMmu.Inspect"/>.</param>
    /// <param name="tables">By <see cref="IMmu.ReadTables"/> where a TLB answers; else null.</param>
    /// <param name="context">The context that it was made in.</param>
    /// <param name="format">The machine's nested paging.</param>
    /// <returns>Lines, each ended by a line feed.</returns>
    public static string Tell(WalkTrace trace, WalkTrace? tables, in PagingContext context, NestedFormat format)
    {
        var story = new WalkStory(trace, tables, context, format);
        story.TellStart();
        story.TellSteps();
        story.TellEnd();
        return story._text.ToString();
    }

    private void TellStart()
    {
        Line($"{Capital(Article(TranslationWords.Of(_trace.Kind)))} of {_trace.Linear} on behalf of {TranslationWords.Of(_trace.Mode)}.");
        if (_trace.Fault is { Failure: TranslationFailure.NonCanonical })
            return;
        Line(_trace.Hit switch
        {
            TranslationHit.L1 => "The first-level TLB has the translation: no table is read. The tables say:",
            TranslationHit.L2 => "The second-level TLB has the translation: no table is read. The tables say:",
            _ => "No TLB has the translation: the tables are walked.",
        });
        if (!_context.IsPaging)
            Line("CR0.PG is 0: the linear address is the guest-physical address.");
        else
            TellRoot();
        if (_context.IsNested)
            TellNestedRoot();
        Line("");
    }

    private void TellNestedRoot()
    {
        var root = new HostPhysicalAddress(_context.Eptp & EptEntry.AddressMask);
        Line(_format == NestedFormat.Npt
            ? $"nCR3 is 0x{root.Value:x}: guest-physical addresses go through nested page tables from {root} on."
            : $"EPTP is 0x{_context.Eptp:x}: guest-physical addresses go through EPT from {root} on.");
    }

    private void TellRoot()
    {
        if (_context.Mode != GuestPagingMode.Pae)
        {
            string table = TableWords(_context.Mode switch { GuestPagingMode.Bits32 => 2, GuestPagingMode.FiveLevel => 5, _ => 4 });
            Line($"CR3 is 0x{_context.Cr3:x}: the {table} is at {TableAddress(_context.Cr3)}.");
            return;
        }

        ulong pdpte = _context.Pdptes[_trace.Linear.Value];
        string leadsTo = (pdpte & PagingEntry.Present) == 0 ? "not present" : $"the page directory is at {TableAddress(pdpte)}";
        Line($"PDPTE{(_trace.Linear.Value >> 30) & 3} is 0x{pdpte:x}: {leadsTo}.");
    }

    private static string TableWords(int level) => level switch
    {
        5 => "PML5 table",
        4 => "PML4 table",
        3 => "PDPT",
        2 => "page directory",
        _ => "page table",
    };

    private void TellSteps()
    {
        IReadOnlyList<WalkReference> steps = _walk.References;
        for (int i = 0; i < steps.Count;)
        {
            int run = i;
            while (run < steps.Count && steps[run].Dimension == WalkDimension.Ept)
                run++;
            if (run > i)
                TellNested(i, run);
            if (run < steps.Count)
                TellStep(steps[run], indentation: "  ");
            i = run + 1;
        }
    }

    // A run of nested steps translates the address of the guest entry that follows it, or at the end the address of the access.
    private void TellNested(int first, int end)
    {
        IReadOnlyList<WalkReference> steps = _walk.References;
        GuestPhysicalAddress? address = end < steps.Count ? steps[end].GuestEntry : _walk.GuestPhysical ?? FailedAddress;
        string purpose = end < steps.Count ? $"to find the {TranslationWords.EntryName(WalkDimension.Guest, _format, steps[end].Level)}" : "to find the byte itself";
        string translator = _format == NestedFormat.Npt ? "Nested paging" : "EPT";
        Line($"  {translator} translates {(address is { } known ? known.ToString() : "an address")} {purpose}:");
        for (int i = first; i < end; i++)
            TellStep(steps[i], indentation: "    ");
    }

    private bool IsAnswered => _trace.Hit != TranslationHit.None;

    private GuestPhysicalAddress? FailedAddress =>
        _walk.Fault is { Failure: not (TranslationFailure.PageFault or TranslationFailure.NonCanonical) } fault ? fault.GuestPhysical : null;

    private void TellStep(WalkReference step, string indentation)
    {
        _number++;
        string name = TranslationWords.EntryName(step.Dimension, _format, step.Level).PadRight(_format == NestedFormat.Npt && _context.IsNested ? 12 : 9);
        string where = step.Entry is { } host ? $"{(step.GuestEntry is { } guest && _context.IsNested ? $"{guest} = " : "")}{host}" : "";
        string flags = EntryFlags.Of(step.Dimension, _format, step.Level, step.Before);
        string changed = IsAnswered || step.After == step.Before ? "" : $" (then {NewFlags(step)})";
        string found = step is { FoundIn: { } level, Cycles: { } cycles } ? $"read from {TranslationWords.Of(level)}, {Count(cycles, "cycle")}"
            : step.Source == WalkSource.Memory ? "read from memory" : $"{TranslationWords.Of(step.Source, _format)} answers";
        string type = step.MemoryType is { } known ? $"  (entry in {TranslationWords.Of(known)} memory)" : "";
        string source = IsAnswered ? "" : $"  [{found}]";
        Line($"{indentation}{_number,2}  {name}  {where}  0x{step.Before:x16}  {flags}{changed}  -> {LeadsTo(step)}{type}{source}");
    }

    private string NewFlags(WalkReference step)
    {
        string[] before = EntryFlags.Of(step.Dimension, _format, step.Level, step.Before).Split(' ');
        return string.Join(' ', EntryFlags.Of(step.Dimension, _format, step.Level, step.After).Split(' ').Except(before)) + " set";
    }

    private string LeadsTo(WalkReference step)
    {
        bool isEpt = step.Dimension == WalkDimension.Ept;
        if (!EntryFlags.IsPresent(step.Dimension, _format, step.Before))
            return "nothing";
        bool isBits32 = !isEpt && _context.Mode == GuestPagingMode.Bits32;
        bool mapsPage = EntryFlags.MapsPage(step.Level, step.Before);
        if (!mapsPage || (isBits32 && step.Level == 2 && (_context.Cr4 & Cr4.PageSizeExtensions) == 0))
            return $"{TableWords(step.Level - 1)} at {Address(step.Before & PagingEntry.AddressMask, isEpt)}";
        if (isBits32 && step.Level == 2)
            return $"{TranslationWords.Of(PageSize.Size4M)} page at {Address(PagingEntry.PageFrame4M(step.Before), isEpt)}";
        var size = (PageSize)(step.Level - 1);
        return $"{TranslationWords.Of(size)} page at {Address(step.Before & PagingEntry.AddressMask & ~size.OffsetMask(), isEpt)}";
    }

    // What a guest table says is guest-physical; without EPT that is host-physical too.
    private string Address(ulong value, bool isEpt) => isEpt || !_context.IsNested ? new HostPhysicalAddress(value).ToString() : new GuestPhysicalAddress(value).ToString();

    private string TableAddress(ulong cr3) => Address(cr3 & PagingEntry.AddressMask, isEpt: false);

    private void TellEnd()
    {
        if (_trace.Fault is { } fault)
        {
            Line("");
            Line($"It ends in a fault: {TranslationWords.Of(fault)}.");
            return;
        }

        Line("");
        bool isStale = _walk.HostPhysical != _trace.HostPhysical;
        string guest = _context.IsNested && !isStale && _walk.GuestPhysical is { } guestPhysical ? $" is {guestPhysical} for the guest and" : " is";
        Line($"{_trace.Linear}{guest} {_trace.HostPhysical} in the host, frame 0x{_trace.HostPhysical!.Value.Frame.Value:x}.");
        string pages = $"Guest page {(_trace.GuestPageSize is { } g ? TranslationWords.Of(g) : "none")}"
            + (_trace.HostPageSize is { } h ? $", {TranslationWords.Nested(_format)} page {TranslationWords.Of(h)}" : "")
            + (_trace.EntryPageSize is { } e ? $", TLB entry {TranslationWords.Of(e)}" : "");
        Line($"{pages}; {RightsInWords(_trace.Rights ?? TranslationRights.None)}{(_trace.MemoryType is { } type ? $"; memory type {TranslationWords.Of(type)}" : "")}.");
        if (IsAnswered)
        {
            Line($"No reference to memory; {Count(_walk.References.Count, "entry", "entries")} stand in the tables on the way.");
            if (isStale)
                Line($"The TLB's entry is stale: the tables {(_walk.Fault is { } refusal ? $"end in a fault, {TranslationWords.Of(refusal)}" : $"lead to {_walk.HostPhysical}")}.");
            return;
        }

        int cached = _trace.References.Count - _trace.MemoryReferences;
        Line($"{Count(_trace.MemoryReferences, "reference")} to memory{(cached == 0 ? "" : $"; caches of partial walks answer for {Count(cached, "entry", "entries")}")}.");
    }

    private string RightsInWords(TranslationRights rights)
    {
        string words = $"{((rights & TranslationRights.User) != 0 ? "user" : "supervisor")} page, "
            + $"{((rights & TranslationRights.Writable) != 0 ? "writable" : "read-only")}, "
            + $"{((rights & TranslationRights.Executable) != 0 ? "executable" : "not executable")}";
        if (!_context.IsNested)
            return words;
        string nested = ((rights & TranslationRights.EptRead) != 0 ? "R" : "-") + ((rights & TranslationRights.EptWrite) != 0 ? "W" : "-") + ((rights & TranslationRights.EptExecute) != 0 ? "X" : "-");
        return $"{words}; {TranslationWords.Nested(_format)} {nested}";
    }

    private static string Count(int count, string one) => Count(count, one, one + "s");

    private static string Count(int count, string one, string several) => $"{count} {(count == 1 ? one : several)}";

    private static string Article(string noun) => $"a {noun}";

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];

    private void Line(string text) => _text.Append(text).Append('\n');
}
