using Iced.Intel;
using Mmu86.Lab.Running;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Lab.Diagnostics;

/// <summary>Runs a guest to a moment and explains one translation there.</summary>
public static class GuestExplainer
{
    /// <summary>Explains.</summary>
    /// <param name="options">What to run.</param>
    /// <param name="output">Where the guest's bytes go.</param>
    /// <param name="at">The moment.</param>
    /// <param name="address">The address, in terms of registers and symbols at that moment.</param>
    /// <param name="kind">The access that is asked about.</param>
    /// <param name="cancellation">Ends the run.</param>
    /// <exception cref="MomentNotReachedException">The run ended before, or a name is not there.</exception>
    /// <exception cref="OperationCanceledException">The user interrupted.</exception>
    public static Explanation Explain(RunOptions options, GuestOutput output, Where at, AddressExpression address, AccessKind kind, CancellationToken cancellation)
    {
        using GuestMachine machine = GuestMachine.Build(options, output, observer: null);
        var stepper = new Stepper(machine, options, cancellation);
        stepper.RunTo(at);
        if (!address.TryEvaluate(new MachineNames(machine), out ulong linear, out string problem))
            throw new MomentNotReachedException(problem);

        var reader = new InstructionReader(machine);
        ulong rip = reader.Next;
        reader.Read(rip, out Instruction instruction, out byte[] bytes);
        WalkTrace trace = machine.Mmu.Inspect(new LinearAddress(linear), kind, machine.CurrentMode);
        bool isAnswered = trace.Hit != TranslationHit.None;
        return new Explanation
        {
            Instruction = new InstructionText((long)stepper.Retired, rip, bytes.Length == 0 ? null : bytes, bytes.Length == 0 ? null : reader.Format(instruction)),
            Place = machine.Image.Symbols.Nearest(new LinearAddress(rip))?.ToString(),
            Expression = address.Text,
            Context = machine.Mmu.Context,
            Trace = machine.Timing?.Forecast(trace) ?? trace,
            Tables = isAnswered ? machine.Mmu.ReadTables(new LinearAddress(linear), kind, machine.CurrentMode) : null,
        };
    }
}
