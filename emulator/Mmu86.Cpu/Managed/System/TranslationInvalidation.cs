using Iced.Intel;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>INVLPG, INVPCID, and the instructions on data caches, which have no effect while there are none.</summary>
internal static class TranslationInvalidation
{
    private const ulong IndividualAddress = 0;
    private const ulong SingleContext = 1;
    private const ulong AllWithGlobals = 2;
    private const ulong AllWithoutGlobals = 3;

    /// <summary>INVLPG.</summary>
    public static ManagedOutcome Page(Vcpu vcpu, in Instruction instruction)
    {
        if (vcpu.System.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        LinearAddress address = new(Operands.Address(vcpu, instruction));
        if (vcpu.ShadowsPaging)
            return vcpu.ExitBehind(new VmExit { Reason = VmExitReason.Invlpg, Linear = address });
        vcpu.Mmu.InvalidatePage(address);
        return ManagedOutcome.EndBlock;
    }

    /// <summary>INVPCID.</summary>
    public static ManagedOutcome Context(Vcpu vcpu, in Instruction instruction)
    {
        if (!vcpu.Features.Invpcid)
            return Raise.InvalidOpcode(vcpu);
        if (vcpu.System.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        ulong type = vcpu.Registers.Read(instruction.Op0Register);
        if (!vcpu.Data.TryRead(Operands.Address(vcpu, instruction), out UInt128 descriptor, Operands.IsStackReference(instruction)))
            return ManagedOutcome.Fault;
        var pcid = (ulong)descriptor;
        LinearAddress address = new((ulong)(descriptor >> 64));
        if (!IsAllowed(vcpu, type, pcid, address.Value))
            return Raise.GeneralProtection(vcpu, 0);
        if (vcpu.ShadowsPaging)
            return vcpu.ExitBehind(new VmExit { Reason = VmExitReason.Invpcid, InvpcidType = type, Pcid = (ushort)pcid, Linear = address });
        switch (type)
        {
            case IndividualAddress:
                vcpu.Mmu.InvalidatePage(address, (ushort)pcid);
                break;
            case SingleContext:
                vcpu.Mmu.InvalidatePcid((ushort)pcid);
                break;
            case AllWithGlobals:
                vcpu.Mmu.InvalidateAll();
                break;
            default:
                vcpu.Mmu.InvalidateAllNonGlobal();
                break;
        }

        return ManagedOutcome.EndBlock;
    }

    /// <summary>INVLPGA: #UD while EFER.SVME=0, before the privilege is looked at. APM 3, "INVLPGA".</summary>
    public static ManagedOutcome PageOfAsid(Vcpu vcpu, in Instruction instruction)
    {
        if ((vcpu.System.Efer & Efer.SvmEnable) == 0)
            return Raise.InvalidOpcode(vcpu);
        if (vcpu.System.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);

        // The decoder names no operands: rAX by the address size, and ECX.
        LinearAddress address = new(vcpu.Registers.Read(instruction.Code switch
        {
            Code.Invlpgaq => Register.RAX,
            Code.Invlpgad => Register.EAX,
            _ => Register.AX,
        }));
        if (vcpu.ShadowsPaging)
            return vcpu.ExitBehind(new VmExit { Reason = VmExitReason.Invlpg, Linear = address });
        vcpu.Mmu.InvalidatePageOfAsid(address, (ushort)vcpu.Registers.Rcx);
        return ManagedOutcome.EndBlock;
    }

    /// <summary>INVD and WBINVD.</summary>
    public static ManagedOutcome Caches(Vcpu vcpu, in Instruction instruction) =>
        vcpu.System.Cpl != 0 ? Raise.GeneralProtection(vcpu, 0) : ManagedOutcome.Next;

    /// <summary>CLFLUSH, CLFLUSHOPT and CLWB: translated as a load of one byte.</summary>
    public static ManagedOutcome CacheLine(Vcpu vcpu, in Instruction instruction)
    {
        bool isPresent = instruction.Mnemonic switch
        {
            Mnemonic.Clflush => vcpu.Features.CacheLineFlush,
            Mnemonic.Clflushopt => vcpu.Features.CacheLineFlushOptimized,
            _ => vcpu.Features.CacheLineWriteBack,
        };
        if (!isPresent)
            return Raise.InvalidOpcode(vcpu);
        return vcpu.Data.TryTouch(Operands.CacheLineAddress(vcpu, instruction), AccessKind.Read, Operands.NonCanonicalVector(instruction))
            ? ManagedOutcome.Next
            : ManagedOutcome.Fault;
    }

    private static bool IsAllowed(Vcpu vcpu, ulong type, ulong pcid, ulong address)
    {
        const ulong PcidReserved = ~0xFFFUL;
        if (type > AllWithoutGlobals || (pcid & PcidReserved) != 0)
            return false;
        bool hasPcids = (vcpu.System.Cr4 & Cr4.PcidEnable) != 0;
        if (type <= SingleContext && pcid != 0 && !hasPcids)
            return false;
        return type != IndividualAddress || Canonical.Is(address, vcpu.Features.LinearAddressBits);
    }
}
