using Iced.Intel;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>MOV to and from control registers, LMSW, SMSW and CLTS, with the invalidations that they demand.</summary>
internal static class ControlRegisters
{
    /// <summary>MOV CRn, r64 and MOV r64, CRn.</summary>
    public static ManagedOutcome Move(Vcpu vcpu, in Instruction instruction)
    {
        bool isWrite = instruction.Op0Register.IsCR();
        int number = (isWrite ? instruction.Op0Register : instruction.Op1Register).GetNumber();
        if (number is not (0 or 2 or 3 or 4 or 8))
            return Raise.InvalidOpcode(vcpu);
        if (vcpu.System.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        if (!isWrite)
        {
            vcpu.Registers.Write(instruction.Op0Register, Read(vcpu.System, number));

            // The register itself has the hypervisor's root.
            return number == 3 && vcpu.ShadowsPaging ? vcpu.ExitBehindControlRegister(number, isWrite: false) : ManagedOutcome.Next;
        }

        return Write(vcpu, number, vcpu.Registers.Read(instruction.Op1Register));
    }

    /// <summary>LMSW: the low four bits of CR0, of which PE can only be set.</summary>
    public static ManagedOutcome LoadMachineStatus(Vcpu vcpu, in Instruction instruction)
    {
        const ulong Loaded = 0xF;
        if (vcpu.System.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        if (!Operands.TryRead(vcpu, instruction, 0, out ulong source))
            return ManagedOutcome.Fault;
        var old = (ulong)vcpu.System.Cr0;
        ulong value = (old & ~Loaded) | (source & Loaded) | (old & (ulong)Cr0.ProtectionEnable);
        return WriteCr0(vcpu, value);
    }

    /// <summary>SMSW: 16 bits to memory, as much of CR0 as fits into a register.</summary>
    public static ManagedOutcome StoreMachineStatus(Vcpu vcpu, in Instruction instruction)
    {
        if (SystemAccess.IsPreventedInUserMode(vcpu))
            return Raise.GeneralProtection(vcpu, 0);
        return Operands.TryWrite(vcpu, instruction, 0, (ulong)vcpu.System.Cr0) ? ManagedOutcome.Next : ManagedOutcome.Fault;
    }

    /// <summary>CLTS.</summary>
    public static ManagedOutcome ClearTaskSwitched(Vcpu vcpu, in Instruction instruction)
    {
        if (vcpu.System.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        vcpu.System.Cr0 &= ~Cr0.TaskSwitched;
        vcpu.ContextChanged();
        return ManagedOutcome.EndBlock;
    }

    private static ulong Read(SystemState system, int number) => number switch
    {
        0 => (ulong)system.Cr0,
        2 => system.Cr2,
        3 => system.Cr3,
        4 => (ulong)system.Cr4,
        _ => (ulong)(system.TaskPriority >> 4),
    };

    private static ManagedOutcome Write(Vcpu vcpu, int number, ulong value)
    {
        switch (number)
        {
            case 0:
                return WriteCr0(vcpu, value);
            case 2:
                vcpu.System.Cr2 = value;
                return ManagedOutcome.EndBlock;
            case 3:
                return WriteCr3(vcpu, value) is var written && written == ManagedOutcome.EndBlock && vcpu.ShadowsPaging
                    ? vcpu.ExitBehindRoot(KeepsTranslations(vcpu.System, value))
                    : written;
            case 4:
                return WriteCr4(vcpu, value);
            default:
                if (value > 15)
                    return Raise.GeneralProtection(vcpu, 0);
                vcpu.System.TaskPriority = (byte)(value << 4);
                vcpu.NoteEvents();
                return ManagedOutcome.EndBlock;
        }
    }

    private static ManagedOutcome WriteCr0(Vcpu vcpu, ulong value)
    {
        SystemState system = vcpu.System;
        if (!ControlRegisterRules.AllowsCr0(system, value))
            return Raise.GeneralProtection(vcpu, 0);
        Cr0 wanted = ControlRegisterRules.Cr0Stored(value);
        if (!vcpu.ShadowsPaging && ControlRegisterRules.ReloadsPdptes(system, wanted) && !TryLoadPdptes(vcpu, system.Cr3))
            return ManagedOutcome.Fault;
        Cr0 changed = wanted ^ system.Cr0;
        system.Cr0 = wanted;
        bool isLongMode = (wanted & Cr0.Paging) != 0 && (system.Efer & Efer.LongModeEnable) != 0;
        system.Efer = isLongMode ? system.Efer | Efer.LongModeActive : system.Efer & ~Efer.LongModeActive;
        if ((changed & Cr0.Paging) != 0 && (wanted & Cr0.Paging) == 0 && !vcpu.ShadowsPaging)
            vcpu.Mmu.InvalidateAll();
        vcpu.ContextChanged();
        return vcpu.ShadowsPaging && (changed & (Cr0.Paging | Cr0.WriteProtect)) != 0
            ? vcpu.ExitBehindControlRegister(0, isWrite: true)
            : ManagedOutcome.EndBlock;
    }

    /// <summary>Writes CR3 with its checks and invalidations.</summary>
    /// <returns>EndBlock; Fault where the value or a PDPTE is refused.</returns>
    internal static ManagedOutcome WriteCr3(Vcpu vcpu, ulong value)
    {
        SystemState system = vcpu.System;
        if (!ControlRegisterRules.AllowsCr3(system, vcpu.Features, value))
            return Raise.GeneralProtection(vcpu, 0);
        if (!vcpu.ShadowsPaging && ControlRegisterRules.IsPaePaging(system.Cr0, system.Cr4, system.Efer) && !TryLoadPdptes(vcpu, value))
            return ManagedOutcome.Fault;
        bool hasPcids = (system.Cr4 & Cr4.PcidEnable) != 0;
        bool keeps = KeepsTranslations(system, value);
        system.Cr3 = value & ~ControlRegisterRules.KeepTranslations;
        if (!keeps && !vcpu.ShadowsPaging)
            vcpu.Mmu.InvalidatePcid(hasPcids ? (ushort)(value & 0xFFF) : (ushort)0);
        vcpu.ContextChanged();
        return ManagedOutcome.EndBlock;
    }

    private static bool KeepsTranslations(SystemState system, ulong cr3) =>
        (system.Cr4 & Cr4.PcidEnable) != 0 && (cr3 & ControlRegisterRules.KeepTranslations) != 0;

    private static ManagedOutcome WriteCr4(Vcpu vcpu, ulong value)
    {
        SystemState system = vcpu.System;
        if (!ControlRegisterRules.AllowsCr4(system, vcpu.Features, value))
            return Raise.GeneralProtection(vcpu, 0);
        var wanted = (Cr4)value;
        if (!vcpu.ShadowsPaging && ControlRegisterRules.ReloadsPdptes(system, wanted) && !TryLoadPdptes(vcpu, system.Cr3))
            return ManagedOutcome.Fault;
        Cr4 changed = wanted ^ system.Cr4;
        system.Cr4 = wanted;

        // SMEP and PAE demand no more than the current PCID; dropping every other too is allowed, and nobody toggles them often.
        const Cr4 EitherWay = Cr4.PageGlobalEnable | Cr4.PhysicalAddressExtension;
        bool invalidates = (changed & EitherWay) != 0
            || ((changed & Cr4.PcidEnable) != 0 && (wanted & Cr4.PcidEnable) == 0)
            || ((changed & Cr4.Smep) != 0 && (wanted & Cr4.Smep) != 0);
        if (invalidates && !vcpu.ShadowsPaging)
            vcpu.Mmu.InvalidateAll();
        vcpu.ContextChanged();
        const Cr4 Owned = Cr4.PageSizeExtensions | Cr4.PhysicalAddressExtension | Cr4.PageGlobalEnable | Cr4.PcidEnable | Cr4.Smep | Cr4.LinearAddress57;
        return vcpu.ShadowsPaging && (changed & Owned) != 0 ? vcpu.ExitBehindControlRegister(4, isWrite: true) : ManagedOutcome.EndBlock;
    }

    // All four or none: #GP(0) for a reserved bit, a VM exit where EPT refuses the read. SDM 3, "PDPTE Registers".
    private static bool TryLoadPdptes(Vcpu vcpu, ulong cr3)
    {
        switch (vcpu.Mmu.LoadPdptes(cr3, out PdpteRegisters loaded))
        {
            case PdpteLoad.Loaded:
                vcpu.System.Pdptes = loaded;
                return true;
            case PdpteLoad.Reserved:
                return vcpu.Faults.Raise(ExceptionVector.GeneralProtection, 0);
            case PdpteLoad.Refused:
                return vcpu.Faults.Raise(vcpu.Mmu.Fault, ExceptionVector.GeneralProtection);
            default:
                throw new global::System.Diagnostics.UnreachableException();
        }
    }
}
