using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;

namespace Mmu86.Lab.Diagnostics;

/// <summary>Runs a machine to a moment, or an instruction further.</summary>
internal sealed class Stepper(GuestMachine machine, RunOptions options, CancellationToken cancellation)
{
    // How many instructions run between two looks at the cancellation.
    private const ulong SliceInstructions = 1_000_000;

    /// <summary>Instructions retired.</summary>
    public ulong Retired => machine.Vcpu.Counters.Instructions;

    /// <summary>Runs until a moment is reached.</summary>
    /// <exception cref="MomentNotReachedException">It never is.</exception>
    public void RunTo(Where where)
    {
        if (where.Instruction is { } instruction)
        {
            RunToInstruction(instruction, where);
            return;
        }

        if (!where.Address!.TryEvaluate(new MachineNames(machine), out ulong address, out string problem))
            throw new MomentNotReachedException(problem);
        var reader = new InstructionReader(machine);
        while (reader.Next != address)
        {
            if (Step() is { } end)
                throw NotReached(where, end);
        }
    }

    /// <summary>Runs one instruction, and whatever faults and system calls belong to it.</summary>
    /// <returns>How the run ended; null where it goes on.</returns>
    /// <exception cref="OperationCanceledException">The user interrupted.</exception>
    public ExitReport? Step()
    {
        if (Retired % SliceInstructions == 0)
            cancellation.ThrowIfCancellationRequested();
        if (options.MaxInstructions is { } limit && Retired >= limit)
            return new ExitReport { Kind = ExitKind.Limit, Status = ExitReport.LimitStatus, Detail = $"--max-instructions {limit} was reached" };
        return machine.Run(Retired + 1, static _ => { });
    }

    private void RunToInstruction(ulong instruction, Where where)
    {
        ulong limit = Math.Min(instruction, options.MaxInstructions ?? ulong.MaxValue);
        while (Retired < limit)
        {
            cancellation.ThrowIfCancellationRequested();
            ulong slice = limit - Retired <= SliceInstructions ? limit : Retired + SliceInstructions;
            if (machine.Run(slice, static _ => { }) is { } end)
                throw NotReached(where, end);
        }

        if (Retired < instruction)
            throw new MomentNotReachedException($"{where} lies behind --max-instructions {limit}");
    }

    private MomentNotReachedException NotReached(Where where, ExitReport end)
    {
        string how = end.Kind switch
        {
            ExitKind.Exited => $"exited with status {end.Status}",
            ExitKind.Fault => "died of a fault",
            ExitKind.Halted => "halted",
            ExitKind.Limit => "reached a limit",
            _ => throw new System.Diagnostics.UnreachableException(),
        };
        string detail = end.Detail is null ? "" : $" ({end.Detail})";
        return new MomentNotReachedException($"{options.Program.Name} never came to {where}: it {how}{detail} after {Retired} instructions");
    }
}
