namespace Mmu86.X86;

/// <summary>CR0. SDM 3, "Control Registers".</summary>
[Flags]
public enum Cr0 : ulong
{
    None = 0,
    ProtectionEnable = 1UL << 0,
    MonitorCoprocessor = 1UL << 1,
    Emulation = 1UL << 2,
    TaskSwitched = 1UL << 3,
    ExtensionType = 1UL << 4,
    NumericError = 1UL << 5,
    WriteProtect = 1UL << 16,
    AlignmentMask = 1UL << 18,
    NotWriteThrough = 1UL << 29,
    CacheDisable = 1UL << 30,
    Paging = 1UL << 31,
}

/// <summary>CR4. SDM 3, "Control Registers".</summary>
[Flags]
public enum Cr4 : ulong
{
    None = 0,
    VirtualMode = 1UL << 0,
    ProtectedModeVirtualInterrupts = 1UL << 1,
    TimeStampDisable = 1UL << 2,
    DebuggingExtensions = 1UL << 3,
    PageSizeExtensions = 1UL << 4,
    PhysicalAddressExtension = 1UL << 5,
    MachineCheckEnable = 1UL << 6,
    PageGlobalEnable = 1UL << 7,
    PerformanceCounterEnable = 1UL << 8,
    OsFxsr = 1UL << 9,
    OsXmmExceptions = 1UL << 10,
    UserModeInstructionPrevention = 1UL << 11,
    LinearAddress57 = 1UL << 12,
    VmxEnable = 1UL << 13,
    FsGsBase = 1UL << 16,
    PcidEnable = 1UL << 17,
    OsXsave = 1UL << 18,
    Smep = 1UL << 20,
    Smap = 1UL << 21,
    ProtectionKeyEnable = 1UL << 22,
    ControlFlowEnforcement = 1UL << 23,
    ProtectionKeySupervisor = 1UL << 24,
    LinearAddressSpaceSeparation = 1UL << 27,
    LinearAddressMaskingSupervisor = 1UL << 28,
}

/// <summary>IA32_EFER. SDM 3, "Extended Feature Enable Register".</summary>
[Flags]
public enum Efer : ulong
{
    None = 0,
    SyscallEnable = 1UL << 0,
    LongModeEnable = 1UL << 8,
    LongModeActive = 1UL << 10,
    NoExecuteEnable = 1UL << 11,

    /// <summary>SVME. APM 2, "Enabling SVM".</summary>
    SvmEnable = 1UL << 12,
}

/// <summary>RFLAGS. SDM 1, "EFLAGS Register".</summary>
[Flags]
public enum RFlags : ulong
{
    None = 0,
    Carry = 1UL << 0,
    Reserved1 = 1UL << 1,
    Parity = 1UL << 2,
    Auxiliary = 1UL << 4,
    Zero = 1UL << 6,
    Sign = 1UL << 7,
    Trap = 1UL << 8,
    InterruptEnable = 1UL << 9,
    Direction = 1UL << 10,
    Overflow = 1UL << 11,
    IoPrivilege = 3UL << 12,
    NestedTask = 1UL << 14,
    Resume = 1UL << 16,
    Virtual8086 = 1UL << 17,
    AlignmentCheck = 1UL << 18,
    VirtualInterrupt = 1UL << 19,
    VirtualInterruptPending = 1UL << 20,
    Identification = 1UL << 21,

    /// <summary>The six flags that arithmetic sets: CF, PF, AF, ZF, SF, OF.</summary>
    Status = Carry | Parity | Auxiliary | Zero | Sign | Overflow,
}
