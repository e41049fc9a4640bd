using Mmu86.Cpu;
using Mmu86.Lab.Reports;
using Mmu86.Loaders.Elf;
using Mmu86.X86;

namespace Mmu86.Lab.Running;

/// <summary>Says in words and as a status how a guest ended.</summary>
internal static class RunEnds
{
    /// <summary>The status of something that Mmu86 does not have yet, or that is not available.</summary>
    private const int NotAvailableStatus = 69;

    /// <summary>The status of an error of ours.</summary>
    private const int InternalErrorStatus = 70;

    /// <summary>Describes a VM exit that ends a run.</summary>
    /// <param name="exit">The exit.</param>
    /// <param name="vcpu">The CPU, for where it stands.</param>
    /// <param name="symbols">Names of the guest's addresses.</param>
    /// <param name="debugExit">What the guest wrote to the debug exit, as a status.</param>
    public static ExitReport Describe(in VmExit exit, Vcpu vcpu, SymbolTable symbols, int? debugExit)
    {
        string at = $"at {Place(vcpu.Registers.Rip, symbols)}";
        return exit.Reason switch
        {
            VmExitReason.StopRequested when debugExit is { } status => new ExitReport { Kind = ExitKind.Exited, Status = status & 0xFF, DebugCode = (status & 0xFF) >> 1 },
            VmExitReason.Halt => new ExitReport
            {
                Kind = ExitKind.Halted,
                Status = 0,
                Detail = (vcpu.Registers.Flags & RFlags.InterruptEnable) == 0 ? null : $"HLT waits {at} for an interrupt that no device will raise",
            },
            VmExitReason.Exception => new ExitReport { Kind = ExitKind.Fault, Status = ExitReport.FaultStatus, Detail = $"{Fault(exit)} {at}" },
            VmExitReason.TripleFault => new ExitReport { Kind = ExitKind.Fault, Status = ExitReport.FaultStatus, Detail = $"triple fault {at}" },
            VmExitReason.ExceptionLoop => new ExitReport { Kind = ExitKind.Fault, Status = ExitReport.FaultStatus, Detail = $"exceptions without end, {Fault(exit)} {at}" },
            VmExitReason.NotSupported => new ExitReport { Kind = ExitKind.Fault, Status = NotAvailableStatus, Detail = $"not supported yet: {exit.Detail}" },
            _ => new ExitReport { Kind = ExitKind.Fault, Status = InternalErrorStatus, Detail = $"unexpected VM exit {exit.Reason} {at}" },
        };
    }

    /// <summary>The guest reset the machine, which nobody starts again.</summary>
    public static ExitReport Reset(Vcpu vcpu, SymbolTable symbols) => new()
    {
        Kind = ExitKind.Halted,
        Status = 0,
        Detail = $"the guest reset the machine at {Place(vcpu.Registers.Rip, symbols)}",
    };

    /// <summary>The emulated host cannot give the guest what it was promised.</summary>
    public static ExitReport HostMemoryExhausted(in VmExit exit, Vcpu vcpu) => new()
    {
        Kind = ExitKind.Limit,
        Status = ExitReport.LimitStatus,
        Detail = $"the host has no frame left for {exit.GuestPhysical} (0x{vcpu.Registers.Rip:x}); --host-memory is too small",
    };

    private static string Fault(in VmExit exit)
    {
        string error = exit.Vector.HasErrorCode() ? $"(0x{exit.ErrorCode:x})" : "";
        string address = exit.Vector == ExceptionVector.PageFault ? $" accessing 0x{exit.Linear.Value:x}" : "";
        return $"{exit.Vector.Mnemonic()}{error}{address}";
    }

    private static string Place(ulong rip, SymbolTable symbols) =>
        symbols.Nearest(new LinearAddress(rip)) is { } location ? $"0x{rip:x} ({location})" : $"0x{rip:x}";
}
