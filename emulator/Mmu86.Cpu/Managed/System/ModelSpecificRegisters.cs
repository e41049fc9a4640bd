using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>RDMSR and WRMSR. A register that is not here is #GP(0). SDM 4, "Model-Specific Registers (MSRs)".</summary>
internal static class ModelSpecificRegisters
{
    private const uint TimeStampCounter = 0x10;
    private const uint ApicBase = 0x1B;
    private const uint SysenterCs = 0x174;
    private const uint SysenterEsp = 0x175;
    private const uint SysenterEip = 0x176;
    private const uint MiscEnable = 0x1A0;
    private const uint PageAttributeTable = 0x277;
    private const uint SupervisorKeys = 0x6E1;
    private const uint ExtendedFeatures = 0xC000_0080;
    private const uint Star = 0xC000_0081;
    private const uint Lstar = 0xC000_0082;
    private const uint Cstar = 0xC000_0083;
    private const uint SyscallMask = 0xC000_0084;
    private const uint FsBase = 0xC000_0100;
    private const uint GsBase = 0xC000_0101;
    private const uint KernelGsBase = 0xC000_0102;
    private const uint TscAux = 0xC000_0103;

    // IA32_APIC_BASE: BSP and EN, and EXTD where there is x2APIC.
    private const ulong ApicFlags = 0x900;
    private const ulong ApicExtended = 0x400;

    // Fast strings, thermal control, SpeedStep, MONITOR, xTPR. Bits that would change what CPUID says stay reserved.
    private const ulong MiscEnableBits = (1UL << 0) | (1UL << 3) | (1UL << 16) | (1UL << 18) | (1UL << 23);

    /// <summary>RDMSR.</summary>
    public static ManagedOutcome Read(Vcpu vcpu, in Instruction instruction)
    {
        var number = (uint)vcpu.Registers.Rcx;
        if (vcpu.System.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        if (!TryRead(vcpu, number, out ulong value))
        {
            vcpu.AbsentRegisters.NoteRead(number);
            return Raise.GeneralProtection(vcpu, 0);
        }

        vcpu.Registers.Rax = (uint)value;
        vcpu.Registers.Rdx = value >> 32;
        return ManagedOutcome.Next;
    }

    /// <summary>WRMSR.</summary>
    public static ManagedOutcome Write(Vcpu vcpu, in Instruction instruction)
    {
        ulong value = (uint)vcpu.Registers.Rax | (vcpu.Registers.Rdx << 32);
        var number = (uint)vcpu.Registers.Rcx;
        if (vcpu.System.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        if (TryWrite(vcpu, number, value))
            return number is ExtendedFeatures or PageAttributeTable && vcpu.ShadowsPaging ? vcpu.ExitBehind(new VmExit { Reason = VmExitReason.WriteMsr }) : ManagedOutcome.EndBlock;

        // Where it can be read, it was the value that was refused; those of the interrupt controller that can only be written are there too.
        if (vcpu.Events?.OwnsRegister(number) != true && !TryRead(vcpu, number, out _))
            vcpu.AbsentRegisters.NoteWrite(number);
        return Raise.GeneralProtection(vcpu, 0);
    }

    private static bool TryRead(Vcpu vcpu, uint number, out ulong value)
    {
        SystemState system = vcpu.System;
        ulong? found = number switch
        {
            TimeStampCounter => vcpu.TimeStamp,
            ApicBase => system.ApicBase,
            SysenterCs => system.SysenterCs,
            SysenterEsp => system.SysenterEsp,
            SysenterEip => system.SysenterEip,
            MiscEnable => system.MiscEnable,
            PageAttributeTable => system.Pat,
            SupervisorKeys when vcpu.Features.SupervisorKeys => system.Pkrs,
            ExtendedFeatures => (ulong)system.Efer,
            Star => system.Star,
            Lstar => system.Lstar,
            Cstar => system.Cstar,
            SyscallMask => system.SyscallMask,
            FsBase => vcpu.Registers.FsBase,
            GsBase => vcpu.Registers.GsBase,
            KernelGsBase => system.KernelGsBase,
            TscAux when vcpu.Features.TimeStampAndAux => system.TscAux,
            _ when vcpu.Events is { } events && events.OwnsRegister(number) => events.TryReadRegister(number, out ulong owned) ? owned : null,
            _ when MemoryTypeRanges.IsNumber(number) => system.MemoryTypeRanges.Read(number),
            _ => null,
        };
        value = found ?? 0;
        return found is not null;
    }

    private static bool TryWrite(Vcpu vcpu, uint number, ulong value)
    {
        SystemState system = vcpu.System;
        if (!IsValid(vcpu, number, value))
            return false;
        switch (number)
        {
            case TimeStampCounter:
                system.TscOffset += value - vcpu.TimeStamp;
                vcpu.NoteEvents();
                return true;
            case ApicBase:
                if (vcpu.Events is { } controller && !controller.TryWriteApicBase(value))
                    return false;
                system.ApicBase = value;
                vcpu.NoteEvents();
                return true;
            case SysenterCs:
                system.SysenterCs = value;
                return true;
            case SysenterEsp:
                system.SysenterEsp = value;
                return true;
            case SysenterEip:
                system.SysenterEip = value;
                return true;
            case MiscEnable:
                system.MiscEnable = value;
                return true;
            case PageAttributeTable:
                system.Pat = value;
                vcpu.ContextChanged();
                return true;
            case SupervisorKeys when vcpu.Features.SupervisorKeys:
                system.Pkrs = (uint)value;
                vcpu.ContextChanged();
                return true;
            case ExtendedFeatures:
                // LMA is the processor's: the manual ignores it in the value.
                system.Efer = ((Efer)value & ~Efer.LongModeActive) | (system.Efer & Efer.LongModeActive);
                vcpu.ContextChanged();
                return true;
            case Star:
                system.Star = value;
                return true;
            case Lstar:
                system.Lstar = value;
                return true;
            case Cstar:
                system.Cstar = value;
                return true;
            case SyscallMask:
                system.SyscallMask = value;
                return true;
            case FsBase:
                vcpu.Registers.FsBase = value;
                return true;
            case GsBase:
                vcpu.Registers.GsBase = value;
                return true;
            case KernelGsBase:
                system.KernelGsBase = value;
                return true;
            case TscAux when vcpu.Features.TimeStampAndAux:
                system.TscAux = value;
                return true;
            case var owned when vcpu.Events is { } events && events.OwnsRegister(owned):
                vcpu.NoteEvents();
                return events.TryWriteRegister(owned, value);
            default:
                return MemoryTypeRanges.IsNumber(number)
                    && system.MemoryTypeRanges.TryWrite(number, value, vcpu.Features.PhysicalAddressReserved);
        }
    }

    // Reserved bits and addresses that are not canonical.
    private static bool IsValid(Vcpu vcpu, uint number, ulong value) => number switch
    {
        ApicBase => (value & (vcpu.Features.PhysicalAddressReserved | (0xFFF & ~(ApicFlags | (vcpu is { Events: not null, Features.X2Apic: true } ? ApicExtended : 0))))) == 0,
        MiscEnable => (value & ~MiscEnableBits) == 0,
        PageAttributeTable => IsPageAttributeTable(value),
        ExtendedFeatures => ControlRegisterRules.AllowsEfer(vcpu.System, vcpu.Features, value),
        SyscallMask or TscAux or SupervisorKeys => value <= uint.MaxValue,
        SysenterEsp or SysenterEip or Lstar or Cstar or FsBase or GsBase or KernelGsBase => Canonical.Is(value, vcpu.Features.LinearAddressBits),
        _ => true,
    };

    // Eight memory types; 2 and 3 are reserved. SDM 3, "Page Attribute Table (PAT)".
    private static bool IsPageAttributeTable(ulong value)
    {
        for (int i = 0; i < 64; i += 8)
        {
            if ((byte)(value >> i) is 2 or 3 or > 7)
                return false;
        }

        return true;
    }
}
