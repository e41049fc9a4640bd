using Iced.Intel;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Paging;

namespace Mmu86.Lab.Diagnostics;

/// <summary>Runs a guest and tells every translation of every instruction. What the guest computes and what is counted is the same as in a run.</summary>
public sealed class GuestInspector : ITranslationObserver
{
    private readonly List<WalkTrace> _traces = [];
    private readonly MemoryOperands _operands = new();

    /// <inheritdoc/>
    public void Translated(WalkTrace trace) => _traces.Add(trace);

    /// <summary>Runs.</summary>
    /// <param name="options">What to run.</param>
    /// <param name="output">Where the guest's bytes go.</param>
    /// <param name="inspection">Which part is told.</param>
    /// <param name="sink">Who is told.</param>
    /// <param name="cancellation">Ends the run.</param>
    /// <returns>How the run ended; null where the instructions asked for were told and it did not.</returns>
    /// <exception cref="MomentNotReachedException">The run ended before the part.</exception>
    /// <exception cref="OperationCanceledException">The user interrupted.</exception>
    public ExitReport? Run(RunOptions options, GuestOutput output, InspectionOptions inspection, IInspectionSink sink, CancellationToken cancellation)
    {
        using GuestMachine machine = GuestMachine.Build(options, output, this);
        var stepper = new Stepper(machine, options, cancellation);
        var reader = new InstructionReader(machine);
        stepper.RunTo(inspection.From);
        _traces.Clear();
        ulong end = inspection.Count is { } count ? stepper.Retired + Math.Min(count, ulong.MaxValue - stepper.Retired) : ulong.MaxValue;
        while (stepper.Retired < end)
        {
            ulong number = stepper.Retired;
            ulong rip = reader.Next;
            reader.Read(rip, out Instruction instruction, out byte[] bytes);
            _operands.Note(rip, instruction, machine.Vcpu);
            ExitReport? exit = stepper.Step();
            Tell(number, rip, instruction, bytes, reader, sink);
            _traces.Clear();
            if (exit is not null)
                return exit;
        }

        return null;
    }

    // One step may hold several attempts: one that faulted, then the first instruction of a handler, or the same one again.
    // Each begins with its fetch.
    private void Tell(ulong number, ulong rip, Instruction instruction, byte[] bytes, InstructionReader reader, IInspectionSink sink)
    {
        InstructionText text = Describe(number, rip, instruction, bytes, reader);
        int index = 0;
        foreach (WalkTrace trace in _traces)
        {
            if (trace.Kind == AccessKind.Fetch && index > 0 && !IsSecondPage(trace.Linear.Value, text))
            {
                index = 0;
                if (trace.Linear.Value != text.Rip)
                {
                    reader.Read(trace.Linear.Value, out Instruction next, out byte[] nextBytes);
                    text = Describe(number, trace.Linear.Value, next, nextBytes, reader);
                }
            }

            int? size = trace.Kind == AccessKind.Fetch ? FetchSize(trace.Linear.Value, text) : _operands.SizeAt(text.Rip, trace.Linear.Value);
            sink.Accessed(text, new InspectedAccess(index++, size, trace));
        }
    }

    private static InstructionText Describe(ulong number, ulong rip, in Instruction instruction, byte[] bytes, InstructionReader reader) =>
        new((long)number, rip, bytes.Length == 0 ? null : bytes, bytes.Length == 0 ? null : reader.Format(instruction));

    private static bool IsSecondPage(ulong address, InstructionText text) =>
        (address & 0xFFF) == 0 && address > text.Rip && address - text.Rip < (ulong)(text.Bytes?.Length ?? 0);

    private static int? FetchSize(ulong address, InstructionText text)
    {
        if (text.Bytes is not { } bytes)
            return null;
        ulong end = text.Rip + (ulong)bytes.Length;
        return (int)Math.Min(end - address, 4096 - (address & 0xFFF));
    }
}
