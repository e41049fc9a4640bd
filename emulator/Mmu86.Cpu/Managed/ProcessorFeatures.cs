using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>What CPUID says about the processor, read once: instructions and register bits that are absent are refused by it.</summary>
internal sealed class ProcessorFeatures
{
    private const uint ExtendedLeaf = 0x8000_0001;
    private const uint AddressSizeLeaf = 0x8000_0008;

    // What the manual reserves where leaf 80000008H is absent. SDM 3, "Physical Address Space".
    private const int DefaultPhysicalAddressBits = 36;

    private readonly CpuidResult _basic;
    private readonly CpuidResult _structured;
    private readonly CpuidResult _structuredMore;
    private readonly CpuidResult _extended;
    private readonly CpuidResult _addresses;

    /// <summary>Reads the leaves.</summary>
    public ProcessorFeatures(ICpuidSource cpuid)
    {
        _basic = cpuid.Read(1, 0);
        if (cpuid.Read(0, 0).Eax >= 7)
            _structured = cpuid.Read(7, 0);
        if (_structured.Eax >= 1)
            _structuredMore = cpuid.Read(7, 1);
        uint highest = cpuid.Read(0x8000_0000, 0).Eax;
        if (highest >= ExtendedLeaf)
            _extended = cpuid.Read(ExtendedLeaf, 0);
        if (highest >= AddressSizeLeaf)
            _addresses = cpuid.Read(AddressSizeLeaf, 0);
        PhysicalAddressBits = highest >= AddressSizeLeaf ? (int)(_addresses.Eax & 0xFF) : DefaultPhysicalAddressBits;
        Cr4Bits = CollectCr4();
    }

    /// <summary>MAXPHYADDR.</summary>
    public int PhysicalAddressBits { get; }

    /// <summary>Bits from MAXPHYADDR on: reserved in CR3 and in addresses held by model-specific registers.</summary>
    public ulong PhysicalAddressReserved => ~0UL << PhysicalAddressBits;

    /// <summary>The width of canonical addresses in registers that outlive a change of CR4.LA57: bases, and the operands of INVPCID.</summary>
    public int LinearAddressBits => Bit(_structured.Ecx, 16) ? 57 : 48;

    /// <summary>Linear-address masking: CR3.LAM_U57, CR3.LAM_U48 and CR4.LAM_SUP.</summary>
    public bool LinearAddressMasking => Bit(_structuredMore.Eax, 26);

    /// <summary>Protection keys for supervisor pages, and IA32_PKRS.</summary>
    public bool SupervisorKeys => Bit(_structured.Ecx, 31);

    /// <summary>The bits of CR4 that may be set.</summary>
    public Cr4 Cr4Bits { get; }

    public bool Monitor => Bit(_basic.Ecx, 3);

    public bool CompareExchange16 => Bit(_basic.Ecx, 13);

    public bool X2Apic => Bit(_basic.Ecx, 21);

    public bool PopulationCount => Bit(_basic.Ecx, 23);

    public bool SysenterSysexit => Bit(_basic.Edx, 11);

    public bool CacheLineFlush => Bit(_basic.Edx, 19);

    public bool FsGsBase => Bit(_structured.Ebx, 0);

    public bool Invpcid => Bit(_structured.Ebx, 10);

    public bool Smap => Bit(_structured.Ebx, 20);

    public bool CacheLineFlushOptimized => Bit(_structured.Ebx, 23);

    public bool CacheLineWriteBack => Bit(_structured.Ebx, 24);

    /// <summary>AMD's INVLPGB and TLBSYNC.</summary>
    public bool BroadcastInvalidation => Bit(_addresses.Ebx, 3);

    /// <summary>How many pages an INVLPGB may name beyond the first: InvlpgbCountMax.</summary>
    public uint MostBroadcastPages => _addresses.Edx & 0xFFFF;

    public bool LahfSahf => Bit(_extended.Ecx, 0);

    public bool NoExecute => Bit(_extended.Edx, 20);

    public bool TimeStampAndAux => Bit(_extended.Edx, 27);

    private Cr4 CollectCr4()
    {
        // PCE has no bit of its own. CET, VMX and XSAVE are not there yet, whatever CPUID claims.
        Cr4 bits = Cr4.PerformanceCounterEnable;
        Add(ref bits, Cr4.VirtualMode | Cr4.ProtectedModeVirtualInterrupts, Bit(_basic.Edx, 1));
        Add(ref bits, Cr4.DebuggingExtensions, Bit(_basic.Edx, 2));
        Add(ref bits, Cr4.PageSizeExtensions, Bit(_basic.Edx, 3));
        Add(ref bits, Cr4.TimeStampDisable, Bit(_basic.Edx, 4));
        Add(ref bits, Cr4.PhysicalAddressExtension, Bit(_basic.Edx, 6));
        Add(ref bits, Cr4.MachineCheckEnable, Bit(_basic.Edx, 7));
        Add(ref bits, Cr4.PageGlobalEnable, Bit(_basic.Edx, 13));
        Add(ref bits, Cr4.OsFxsr, Bit(_basic.Edx, 24));
        Add(ref bits, Cr4.OsXmmExceptions, Bit(_basic.Edx, 25));
        Add(ref bits, Cr4.PcidEnable, Bit(_basic.Ecx, 17));
        Add(ref bits, Cr4.FsGsBase, FsGsBase);
        Add(ref bits, Cr4.Smep, Bit(_structured.Ebx, 7));
        Add(ref bits, Cr4.Smap, Smap);
        Add(ref bits, Cr4.UserModeInstructionPrevention, Bit(_structured.Ecx, 2));
        Add(ref bits, Cr4.ProtectionKeyEnable, Bit(_structured.Ecx, 3));
        Add(ref bits, Cr4.LinearAddress57, Bit(_structured.Ecx, 16));
        Add(ref bits, Cr4.ProtectionKeySupervisor, SupervisorKeys);
        Add(ref bits, Cr4.LinearAddressSpaceSeparation, Bit(_structuredMore.Eax, 6));
        Add(ref bits, Cr4.LinearAddressMaskingSupervisor, LinearAddressMasking);
        return bits;
    }

    private static void Add(ref Cr4 bits, Cr4 wanted, bool isPresent)
    {
        if (isPresent)
            bits |= wanted;
    }

    private static bool Bit(uint word, int bit) => ((word >> bit) & 1) != 0;
}
