using System.Text;
using Mmu86.Paging;

namespace Mmu86.Lab.Diagnostics;

/// <summary>Inspected accesses as text: a line for each instruction, a line for each of its accesses.</summary>
public sealed class InspectionText
{
    private readonly StringBuilder _text = new();
    private InstructionText? _current;

    /// <summary>The lines for one access, each ended by a line feed. The instruction's own line comes before its first access.</summary>
    public string Describe(InstructionText instruction, InspectedAccess access)
    {
        _text.Clear();
        if (!ReferenceEquals(instruction, _current))
        {
            _current = instruction;
            string bytes = instruction.Bytes is { } known ? Convert.ToHexStringLower(known) : "??";
            _text.Append($"#{instruction.Number,-8} 0x{instruction.Rip:x12}  {bytes,-20}  {instruction.Text ?? "(cannot be fetched)"}\n");
        }

        WalkTrace trace = access.Trace;
        string size = access.SizeInBytes is { } bytesAccessed ? bytesAccessed.ToString(System.Globalization.CultureInfo.InvariantCulture) : "-";
        _text.Append($"  {TranslationWords.Of(trace.Kind),-5} {size,3}  {trace.Linear,-20}  {Found(trace),-36}");
        _text.Append(trace.Fault is { } fault ? TranslationWords.Of(fault) : Place(trace)).Append('\n');
        return _text.ToString();
    }

    private static string Place(WalkTrace trace)
    {
        string entry = trace.EntryPageSize is { } size ? $"{TranslationWords.Of(size)} entry  " : "";
        string guest = trace.GuestPhysical is { } address && trace.HostPageSize is not null ? $"{address} = " : "";
        return $"{entry}{guest}{trace.HostPhysical}";
    }

    private static string Found(WalkTrace trace) => trace.Hit switch
    {
        TranslationHit.L1 => "hit in L1" + Again(trace),
        TranslationHit.L2 => "hit in L2" + Again(trace),
        _ => trace.Reason is null ? "no lookup" : Walk(trace),
    };

    // A TLB may have the page and the tables be walked all the same.
    private static string Again(WalkTrace trace) => trace.Reason is null ? "" : $", {Walk(trace)}";

    private static string Walk(WalkTrace trace)
    {
        int memory = trace.MemoryReferences;
        int cached = trace.References.Count - memory;
        string why = trace.Reason switch
        {
            WalkReason.Dirty => " for dirty",
            WalkReason.Rights => " for rights",
            _ => "",
        };
        return $"walk{why}: {memory} read{(cached == 0 ? "" : $", {cached} cached")}";
    }
}
