using System.Text.Encodings.Web;
using System.Text.Json;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Paging;

namespace Mmu86.Lab.Diagnostics;

/// <summary>Makes translation records of traces, and JSON of records.</summary>
public sealed class TranslationRecords
{
    private static readonly JsonWriterOptions s_oneLine = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // Set where EPT is off, and then they mean nothing.
    private const TranslationRights EptRights = TranslationRights.EptRead | TranslationRights.EptWrite | TranslationRights.EptExecute;

    private readonly int _referenceCycles;
    private readonly NestedFormat _format;

    /// <summary>Prepares records of one machine.</summary>
    /// <param name="machine">Names the price of a reference and the format of nested entries.</param>
    public TranslationRecords(MachineDescription machine)
    {
        _referenceCycles = machine.Mmu.Latencies.WalkReferenceCycles;
        _format = machine.Mmu.Nested.Format;
    }

    /// <summary>The record of one access.</summary>
    /// <param name="instruction">The instruction that made it.</param>
    /// <param name="access">Its trace, size and place.</param>
    public TranslationRecord Build(InstructionText instruction, InspectedAccess access)
    {
        WalkTrace trace = access.Trace;
        return new TranslationRecord
        {
            N = instruction.Number,
            Rip = Hex(instruction.Rip),
            Bytes = instruction.Bytes is { Length: > 0 } bytes ? Convert.ToHexStringLower(bytes) : null,
            Asm = instruction.Text,
            Access = new AccessRecord { Kind = TranslationWords.Of(trace.Kind), Size = access.SizeInBytes, Index = access.Index },
            Linear = Hex(trace.Linear.Value),
            Hit = HitOf(trace),
            Walk = [.. trace.References.Select(Step)],
            GuestPageSize = trace.GuestPageSize is { } guest ? RunReportBuilder.NameOf(guest) : null,
            HostPageSize = trace.HostPageSize is { } host ? RunReportBuilder.NameOf(host) : null,
            EntryPageSize = trace.EntryPageSize is { } entry ? RunReportBuilder.NameOf(entry) : null,
            GuestPhysical = trace.GuestPhysical is { } guestPhysical ? Hex(guestPhysical.Value) : null,
            HostPhysical = trace.HostPhysical is { } hostPhysical ? Hex(hostPhysical.Value) : null,
            MemoryType = trace.MemoryType is { } type ? TranslationWords.Of(type) : null,
            Rights = trace.Rights is { } rights ? TranslationWords.Of(trace.HostPageSize is null ? rights & ~EptRights : rights, _format) : null,
            Fault = FaultOf(trace.Fault),
            Exit = ExitOf(trace.Fault),
        };
    }

    /// <summary>The record of an explanation: of the access that was asked about, with what the tables say where a TLB answers.</summary>
    public TranslationRecord Build(Explanation explanation) => Build(explanation.Instruction, new InspectedAccess(0, null, explanation.Trace)) with
    {
        // Nothing of it is read or written.
        Tables = explanation.Tables is { } tables ? [.. tables.References.Select(reference => Step(reference with { After = reference.Before }) with { Cycles = 0 })] : null,
    };

    /// <summary>A record as one line of JSON, without the line's end.</summary>
    public static ReadOnlyMemory<byte> ToJson(TranslationRecord record)
    {
        var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, s_oneLine))
            JsonSerializer.Serialize(writer, record, TranslationJsonContext.Default.TranslationRecord);
        return bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
    }

    private static string? HitOf(WalkTrace trace) => trace.Hit switch
    {
        TranslationHit.L1 => "l1",
        TranslationHit.L2 => "l2",
        _ => trace.Reason is null ? null : "walk",
    };

    private WalkStepRecord Step(WalkReference reference) => new()
    {
        Dim = reference.Dimension == WalkDimension.Guest ? "guest" : TranslationWords.Key(_format),
        Level = reference.Level,
        Entry = reference.Entry is { } entry ? Hex(entry.Value) : null,
        GuestEntry = reference.GuestEntry is { } guest ? Hex(guest.Value) : null,
        MemoryType = reference.MemoryType is { } type ? TranslationWords.Of(type) : null,
        Before = Hex(reference.Before),
        After = Hex(reference.After),
        Source = TranslationWords.Key(reference.Source),
        FoundIn = reference.FoundIn is { } level ? TranslationWords.Key(level) : null,
        Cycles = reference.Source == WalkSource.Memory ? reference.Cycles ?? _referenceCycles : 0,
    };

    private static FaultRecord? FaultOf(TranslationFault? fault) => fault?.Failure switch
    {
        TranslationFailure.PageFault => new FaultRecord { Kind = "pageFault", ErrorCode = Hex((uint)fault.Value.ErrorCode), Detail = TranslationWords.Of(fault.Value) },
        TranslationFailure.NonCanonical => new FaultRecord { Kind = "nonCanonical", Detail = TranslationWords.Of(fault.Value) },
        _ => null,
    };

    private static ExitRecord? ExitOf(TranslationFault? fault) => fault?.Failure switch
    {
        TranslationFailure.EptViolation => new ExitRecord
        {
            Kind = "eptViolation",
            GuestPhysical = Hex(fault.Value.GuestPhysical.Value),
            Qualification = Hex((ulong)fault.Value.Qualification),
            Detail = TranslationWords.Of(fault.Value),
        },
        TranslationFailure.EptMisconfiguration => new ExitRecord
        {
            Kind = "eptMisconfiguration",
            GuestPhysical = Hex(fault.Value.GuestPhysical.Value),
            Detail = TranslationWords.Of(fault.Value),
        },
        TranslationFailure.NestedPageFault => new ExitRecord
        {
            Kind = "nestedPageFault",
            GuestPhysical = Hex(fault.Value.GuestPhysical.Value),
            Qualification = Hex((ulong)fault.Value.NestedErrorCode),
            Detail = TranslationWords.Of(fault.Value),
        },
        TranslationFailure.PageModificationLogFull => new ExitRecord
        {
            Kind = "pageModificationLogFull",
            GuestPhysical = Hex(fault.Value.GuestPhysical.Value),
            Detail = TranslationWords.Of(fault.Value),
        },
        TranslationFailure.SubPageMiss or TranslationFailure.SubPageMisconfiguration => new ExitRecord
        {
            Kind = "subPagePermission",
            GuestPhysical = Hex(fault.Value.GuestPhysical.Value),
            Detail = TranslationWords.Of(fault.Value),
        },
        _ => null,
    };

    private static string Hex(ulong value) => $"0x{value:x}";
}
