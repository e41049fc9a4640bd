using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>CPUID, and the counters that software reads: RDTSC, RDTSCP, RDPMC.</summary>
internal static class ProcessorIdentification
{
    private const uint FeatureLeaf = 1;
    private const uint StructuredFeatureLeaf = 7;
    private const int OsXsaveBit = 27;
    private const int OsProtectionKeysBit = 4;
    private const int ApicBit = 9;
    private const ulong ApicEnabled = 1UL << 11;

    /// <summary>CPUID. Bits that depend on the state are put in here.</summary>
    public static ManagedOutcome Cpuid(Vcpu vcpu, in Instruction instruction)
    {
        uint leaf = (uint)vcpu.Registers.Rax;
        CpuidResult result = vcpu.Configuration.Cpuid.Read(leaf, (uint)vcpu.Registers.Rcx);
        if (leaf == FeatureLeaf)
        {
            bool hasXsave = (vcpu.System.Cr4 & Cr4.OsXsave) != 0;
            bool hasApic = (vcpu.System.ApicBase & ApicEnabled) != 0;
            result = result with
            {
                Ecx = hasXsave ? result.Ecx | (1u << OsXsaveBit) : result.Ecx & ~(1u << OsXsaveBit),
                Edx = hasApic ? result.Edx : result.Edx & ~(1u << ApicBit),
            };
        }

        if (leaf == StructuredFeatureLeaf && (uint)vcpu.Registers.Rcx == 0)
        {
            bool hasKeys = (vcpu.System.Cr4 & Cr4.ProtectionKeyEnable) != 0;
            result = result with { Ecx = hasKeys ? result.Ecx | (1u << OsProtectionKeysBit) : result.Ecx & ~(1u << OsProtectionKeysBit) };
        }

        vcpu.Registers.Rax = result.Eax;
        vcpu.Registers.Rbx = result.Ebx;
        vcpu.Registers.Rcx = result.Ecx;
        vcpu.Registers.Rdx = result.Edx;
        return ManagedOutcome.Next;
    }

    /// <summary>RDTSC.</summary>
    public static ManagedOutcome ReadTimeStamp(Vcpu vcpu, in Instruction instruction)
    {
        if (vcpu.System.Cpl != 0 && (vcpu.System.Cr4 & Cr4.TimeStampDisable) != 0)
            return Raise.GeneralProtection(vcpu, 0);
        ulong value = vcpu.TimeStamp;
        vcpu.Registers.Rax = (uint)value;
        vcpu.Registers.Rdx = value >> 32;
        return ManagedOutcome.Next;
    }

    /// <summary>RDTSCP: RDTSC and IA32_TSC_AUX.</summary>
    public static ManagedOutcome ReadTimeStampAndAux(Vcpu vcpu, in Instruction instruction)
    {
        if (!vcpu.Features.TimeStampAndAux)
            return Raise.InvalidOpcode(vcpu);
        ManagedOutcome outcome = ReadTimeStamp(vcpu, instruction);
        if (outcome == ManagedOutcome.Next)
            vcpu.Registers.Rcx = vcpu.System.TscAux;
        return outcome;
    }

    /// <summary>RDPMC: there are no performance counters, so any number is an invalid one.</summary>
    public static ManagedOutcome ReadPerformanceCounter(Vcpu vcpu, in Instruction instruction) => Raise.GeneralProtection(vcpu, 0);
}
