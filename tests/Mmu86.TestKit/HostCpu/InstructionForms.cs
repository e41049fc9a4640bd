using Iced.Intel;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Which forms of instructions are compared with the host CPU.</summary>
public static class InstructionForms
{
    // What every x86-64 processor has. Newer instructions that reuse an encoding (TZCNT, LZCNT) are not in the emulated CPUID.
    private static readonly HashSet<CpuidFeature> Baseline =
    [
        CpuidFeature.INTEL8086, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386, CpuidFeature.INTEL486,
        CpuidFeature.X64, CpuidFeature.CMOV, CpuidFeature.CX8, CpuidFeature.CMPXCHG16B, CpuidFeature.MULTIBYTENOP,
        CpuidFeature.PAUSE, CpuidFeature.CLFSH, CpuidFeature.PREFETCHW, CpuidFeature.CET_IBT, CpuidFeature.FSGSBASE,
    ];

    // Of the SSE features only what touches no vector register.
    private static readonly HashSet<Code> WithoutVectors =
    [
        Code.Prefetchnta_m8, Code.Prefetcht0_m8, Code.Prefetcht1_m8, Code.Prefetcht2_m8,
        Code.Sfence, Code.Lfence, Code.Mfence, Code.Movnti_m32_r32, Code.Movnti_m64_r64,
    ];

    // Far transfers, interrupts and whatever loads or shows system state: not a matter of two states side by side. Linux answers
    // SGDT, SIDT, SLDT, STR and SMSW itself where UMIP is on.
    private static readonly HashSet<Mnemonic> System =
    [
        Mnemonic.Int, Mnemonic.Int1, Mnemonic.Int3, Mnemonic.Iret, Mnemonic.Iretd, Mnemonic.Iretq, Mnemonic.Retf,
        Mnemonic.Lss, Mnemonic.Lfs, Mnemonic.Lgs, Mnemonic.Sldt, Mnemonic.Str, Mnemonic.Smsw, Mnemonic.Sgdt, Mnemonic.Sidt,
        Mnemonic.Verr, Mnemonic.Verw, Mnemonic.Lar, Mnemonic.Lsl, Mnemonic.Wait,
    ];

    // Undefined by the manual in its result, or different between makers of processors.
    private static readonly HashSet<Code> Excluded =
    [
        Code.Bswap_r16, Code.Movsxd_r16_rm16,
        Code.Mov_Sreg_rm16, Code.Mov_Sreg_r32m16, Code.Mov_Sreg_r64m16, Code.Popw_FS, Code.Popw_GS, Code.Popq_FS, Code.Popq_GS,
        Code.Call_m1616, Code.Call_m1632, Code.Call_m1664, Code.Jmp_m1616, Code.Jmp_m1632, Code.Jmp_m1664,
        Code.Prefetchreserved3_m8, Code.Prefetchreserved4_m8, Code.Prefetchreserved5_m8, Code.Prefetchreserved6_m8,
        Code.Prefetchreserved7_m8, Code.Prefetch_m8,
        Code.Reservednop_rm16_r16_0F0D, Code.Reservednop_rm32_r32_0F0D, Code.Reservednop_rm64_r64_0F0D,
        Code.Reservednop_rm16_r16_0F18, Code.Reservednop_rm32_r32_0F18, Code.Reservednop_rm64_r64_0F18,
    ];

    /// <summary>Forms that ring 3 may execute and whose effect is registers, flags, memory or the next RIP.</summary>
    public static IReadOnlyList<OpCodeInfo> GeneralPurpose { get; } = [.. Enumerate(Privilege.Ring3)];

    /// <summary>Forms that ring 3 may not execute: a fault each.</summary>
    public static IReadOnlyList<OpCodeInfo> Privileged { get; } = [.. Enumerate(Privilege.Ring0)];

    /// <summary>The same of 32-bit code, whose forms 16-bit code has too.</summary>
    public static IReadOnlyList<OpCodeInfo> Narrow { get; } = [.. EnumerateNarrow()];

    /// <summary>Whether a form is one of RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE, which a kernel may not have enabled.</summary>
    public static bool IsFsGsBase(OpCodeInfo form) =>
        form.Mnemonic is Mnemonic.Rdfsbase or Mnemonic.Rdgsbase or Mnemonic.Wrfsbase or Mnemonic.Wrgsbase;

    private static IEnumerable<OpCodeInfo> Enumerate(Privilege privilege) =>
        from code in Enum.GetValues<Code>()
        let form = code.ToOpCode()
        where form.IsInstruction && form.Encoding == EncodingKind.Legacy && form.Mode64 && form.IntelDecoder64
        where WithoutVectors.Contains(code) || code.CpuidFeatures().All(Baseline.Contains)
        where !System.Contains(form.Mnemonic) && !Excluded.Contains(code)
        where (form.IsPrivileged || form.IsInputOutput) == (privilege == Privilege.Ring0)
        select form;

    private static IEnumerable<OpCodeInfo> EnumerateNarrow() =>
        from code in Enum.GetValues<Code>()
        let form = code.ToOpCode()
        where form.IsInstruction && form.Encoding == EncodingKind.Legacy && form.Mode32 && form.IntelDecoder32
        where WithoutVectors.Contains(code) || code.CpuidFeatures().All(Baseline.Contains)
        where !System.Contains(form.Mnemonic) && !Excluded.Contains(code) && !IsSegmentLoad(form)
        where !IsFar(form) && !form.IsPrivileged && !form.IsInputOutput
        select form;

    private static bool IsSegmentLoad(OpCodeInfo form) =>
        form.Mnemonic is Mnemonic.Lds or Mnemonic.Les
        || (form.Mnemonic == Mnemonic.Pop && form.Op0Kind is OpCodeOperandKind.es or OpCodeOperandKind.ss or OpCodeOperandKind.ds or OpCodeOperandKind.fs or OpCodeOperandKind.gs);

    private static bool IsFar(OpCodeInfo form) =>
        form.Op0Kind is OpCodeOperandKind.farbr2_2 or OpCodeOperandKind.farbr4_2;

    private enum Privilege
    {
        Ring3,
        Ring0,
    }
}
