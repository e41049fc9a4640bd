using Iced.Intel;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>INVLPGB and TLBSYNC. There is one processor, so a broadcast reaches itself, and at once.</summary>
/// <remarks>
/// <code>
/// rAX  63..12 address   5 nested too   4 final translations only   3 globals too   2 ASID valid   1 PCID valid   0 address valid
/// ECX  31 steps of 2 MiB instead of 4 KiB   15..0 pages beyond the first
/// EDX  27..16 PCID   15..0 ASID
/// </code>
/// APM 3, "INVLPGB" and "TLBSYNC". A processor may invalidate more than it is asked for, and that is done where the MMU has no operation so narrow.
/// </remarks>
internal static class BroadcastInvalidation
{
    private const ulong AddressValid = 1UL << 0;
    private const ulong PcidValid = 1UL << 1;
    private const ulong AsidValid = 1UL << 2;
    private const ulong IncludesGlobals = 1UL << 3;
    private const ulong IncludesNested = 1UL << 5;
    private const ulong RaxReserved = 0xFC0;
    private const uint EcxReserved = 0x7FFF_0000;
    private const uint EdxReserved = 0xF000_0000;
    private const byte EveryAsid = 1;

    /// <summary>INVLPGB.</summary>
    public static ManagedOutcome Invalidate(Vcpu vcpu, in Instruction instruction)
    {
        if (!vcpu.Features.BroadcastInvalidation)
            return Raise.InvalidOpcode(vcpu);
        if (vcpu.System.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        ulong what = vcpu.Registers.Read(instruction.Code switch
        {
            Code.Invlpgbq => Register.RAX,
            Code.Invlpgbd => Register.EAX,
            _ => Register.AX,
        });
        var pages = (uint)vcpu.Registers.Rcx;
        var spaces = (uint)vcpu.Registers.Rdx;
        var pcid = (ushort)((spaces >> 16) & 0xFFF);
        bool hasPcids = (vcpu.System.Cr4 & Cr4.PcidEnable) != 0;
        if ((what & RaxReserved) != 0 || (pages & EcxReserved) != 0 || (spaces & EdxReserved) != 0
            || (ushort)pages > vcpu.Features.MostBroadcastPages
            || ((what & PcidValid) != 0 && pcid != 0 && !hasPcids))
            return Raise.GeneralProtection(vcpu, 0);
        if (vcpu.ShadowsPaging)
            return vcpu.ExitBehind(new VmExit { Reason = VmExitReason.Invlpgb });

        // In a guest the ASID is the guest's own, whatever it asks for.
        IMmu mmu = vcpu.Mmu;
        ushort asid = mmu.Context.IsNested || (what & AsidValid) == 0 ? mmu.Context.Vpid : (ushort)spaces;
        if (!mmu.Context.IsNested && ((what & AsidValid) == 0 || (what & IncludesNested) != 0))
            mmu.TryApplyTlbControl(EveryAsid);
        else if ((what & AddressValid) != 0)
            InvalidatePages(mmu, what, pages, asid, pcid);
        else if (asid != mmu.Context.Vpid)
            mmu.InvalidateVpid(asid);
        else
            InvalidateSpace(mmu, what, pcid);
        return ManagedOutcome.EndBlock;
    }

    /// <summary>TLBSYNC: whatever was broadcast has been done.</summary>
    public static ManagedOutcome Synchronize(Vcpu vcpu, in Instruction instruction) =>
        !vcpu.Features.BroadcastInvalidation ? Raise.InvalidOpcode(vcpu)
        : vcpu.System.Cpl != 0 ? Raise.GeneralProtection(vcpu, 0)
        : ManagedOutcome.EndBlock;

    private static void InvalidatePages(IMmu mmu, ulong what, uint pages, ushort asid, ushort pcid)
    {
        ulong step = (pages >> 31 != 0 ? PageSize.Size2M : PageSize.Size4K).Bytes();
        bool isNarrow = asid == mmu.Context.Vpid && (what & (PcidValid | IncludesGlobals)) == PcidValid;
        for (uint i = 0; i <= (ushort)pages; i++)
        {
            LinearAddress address = new((what & ~0xFFFUL) + (i * step));
            if (isNarrow)
                mmu.InvalidatePage(address, pcid);
            else
                mmu.InvalidatePageOfAsid(address, asid);
        }
    }

    private static void InvalidateSpace(IMmu mmu, ulong what, ushort pcid)
    {
        if ((what & IncludesGlobals) != 0)
            mmu.InvalidateAll();
        else if ((what & PcidValid) != 0)
            mmu.InvalidatePcid(pcid);
        else
            mmu.InvalidateAllNonGlobal();
    }
}
