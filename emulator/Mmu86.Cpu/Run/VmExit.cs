using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>Why <see cref="Vcpu.Run"/> returned.</summary>
public enum VmExitReason
{
    /// <summary>The number of instructions asked for has retired.</summary>
    InstructionLimit,

    /// <summary>HLT. RIP is behind it.</summary>
    Halt,

    /// <summary>SYSCALL while <see cref="VcpuConfiguration.InterceptSyscalls"/>. RIP is behind it; RCX and R11 are set as SYSCALL does.</summary>
    Syscall,

    /// <summary>An exception while <see cref="VcpuConfiguration.InterceptExceptions"/>. RIP is at the instruction (behind it for traps).</summary>
    Exception,

    /// <summary>The processor shut down: a fault while delivering a double fault.</summary>
    TripleFault,

    /// <summary>Exceptions were delivered one after another, thousands of them, and no instruction retired between them. RIP is at a handler.</summary>
    ExceptionLoop,

    /// <summary>EPT violation. RIP is at the instruction, which runs again.</summary>
    EptViolation,

    /// <summary>EPT misconfiguration. RIP is at the instruction.</summary>
    EptMisconfiguration,

    /// <summary>A flag of EPT must be set and the page-modification log is full. RIP is at the instruction.</summary>
    PageModificationLogFull,

    /// <summary>SPP miss: a sub-page-permission table is not present. RIP is at the instruction.</summary>
    SubPageMiss,

    /// <summary>SPP misconfiguration: a sub-page-permission table has reserved bits set. RIP is at the instruction.</summary>
    SubPageMisconfiguration,

    /// <summary>AMD's nested page fault: <see cref="VmExit.NestedErrorCode"/>. RIP is at the instruction.</summary>
    NestedPageFault,

    /// <summary>VMFUNC with a function that is off, or an EPTP list entry that cannot be switched to. RIP is at the instruction.</summary>
    VmFunction,

    /// <summary>A control register was read or written (<see cref="VcpuConfiguration.ShadowsPaging"/>): <see cref="VmExit.ControlRegister"/>. The guest's registers
    /// have what the instruction gives them; what the processor translates with is the hypervisor's to change. RIP is behind the instruction.</summary>
    ControlRegisterAccess,

    /// <summary>WRMSR of IA32_EFER or IA32_PAT while <see cref="VcpuConfiguration.ShadowsPaging"/>. Otherwise as <see cref="ControlRegisterAccess"/>.</summary>
    WriteMsr,

    /// <summary>INVLPG or INVLPGA of <see cref="VmExit.Linear"/> while <see cref="VcpuConfiguration.ShadowsPaging"/>. RIP is behind it, and nothing was invalidated.</summary>
    Invlpg,

    /// <summary>INVPCID while <see cref="VcpuConfiguration.ShadowsPaging"/>: <see cref="VmExit.InvpcidType"/> and <see cref="VmExit.Pcid"/>. RIP is behind it, and nothing
    /// was invalidated.</summary>
    Invpcid,

    /// <summary>INVLPGB while <see cref="VcpuConfiguration.ShadowsPaging"/>. RIP is behind it, and nothing was invalidated.</summary>
    Invlpgb,

    /// <summary>Something that is not there yet: <see cref="VmExit.Detail"/> names it. RIP is at the instruction.</summary>
    NotSupported,

    /// <summary>A device asked the run to stop. RIP is behind the instruction.</summary>
    StopRequested,

    /// <summary>A marker of the measured part retired: <see cref="VmExit.Marker"/>.</summary>
    Marker,
}

/// <summary>A VM exit as a value.</summary>
public readonly record struct VmExit
{
    public required VmExitReason Reason { get; init; }

    /// <summary>For exceptions.</summary>
    public ExceptionVector Vector { get; init; }

    /// <summary>For exceptions that have one.</summary>
    public uint ErrorCode { get; init; }

    /// <summary>The linear address, for page faults, EPT exits, INVLPG and INVPCID of one address.</summary>
    public LinearAddress Linear { get; init; }

    /// <summary>On whose behalf the access was made, for page faults that <see cref="VcpuConfiguration.ShadowsPaging"/> intercepts.</summary>
    public AccessMode Mode { get; init; }

    /// <summary>The number of the register, and what was done to it, for control-register accesses.</summary>
    public ControlRegisterAccess ControlRegister { get; init; }

    /// <summary>For INVPCID: 0 one address, 1 one PCID, 2 and 3 all.</summary>
    public ulong InvpcidType { get; init; }

    /// <summary>For INVPCID of one address or one PCID.</summary>
    public ushort Pcid { get; init; }

    /// <summary>The guest-physical address, for EPT exits.</summary>
    public GuestPhysicalAddress GuestPhysical { get; init; }

    /// <summary>For EPT violations.</summary>
    public EptViolationQualification Qualification { get; init; }

    /// <summary>EXITINFO1, for nested page faults; <see cref="GuestPhysical"/> is EXITINFO2.</summary>
    public NestedPageFaultErrorCode NestedErrorCode { get; init; }

    /// <summary>The marker's displacement, for markers.</summary>
    public uint Marker { get; init; }

    /// <summary>What is not supported, in words; null otherwise.</summary>
    public string? Detail { get; init; }

    /// <summary>The exit for a page fault that a hypervisor with shadow tables looks at first.</summary>
    internal static VmExit FromPageFault(in TranslationFault fault, AccessMode mode) => new()
    {
        Reason = VmExitReason.Exception,
        Vector = ExceptionVector.PageFault,
        ErrorCode = (uint)fault.ErrorCode,
        Linear = fault.Linear,
        Mode = mode,
    };

    /// <summary>The exit for an address that the second dimension refused.</summary>
    internal static VmExit FromNested(in PendingFault fault) => new()
    {
        Reason = fault.Failure switch
        {
            TranslationFailure.EptViolation => VmExitReason.EptViolation,
            TranslationFailure.EptMisconfiguration => VmExitReason.EptMisconfiguration,
            TranslationFailure.PageModificationLogFull => VmExitReason.PageModificationLogFull,
            TranslationFailure.SubPageMiss => VmExitReason.SubPageMiss,
            TranslationFailure.SubPageMisconfiguration => VmExitReason.SubPageMisconfiguration,
            TranslationFailure.NestedPageFault => VmExitReason.NestedPageFault,
            _ => throw new System.Diagnostics.UnreachableException(),
        },
        Linear = fault.Translation.Linear,
        GuestPhysical = fault.Translation.GuestPhysical,
        Qualification = fault.Translation.Qualification,
        NestedErrorCode = fault.Translation.NestedErrorCode,
    };
}
