using Iced.Intel;
using Mmu86.TestKit.HostCpu;

namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>Code that nobody wrote: noise, and noise behind opcodes that exist.</summary>
internal static class RandomProgram
{
    private static readonly byte[] Prefixes = [0x66, 0x67, 0xF0, 0xF2, 0xF3, 0x2E, 0x36, 0x64, 0x65, 0x40, 0x41, 0x44, 0x48, 0x4F];

    // Floating point and vectors come with later issues: an exit each.
    private static readonly HashSet<CpuidFeature> Emulated =
    [
        CpuidFeature.INTEL8086, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386, CpuidFeature.INTEL486, CpuidFeature.X64,
        CpuidFeature.CMOV, CpuidFeature.CX8, CpuidFeature.CMPXCHG16B, CpuidFeature.MSR, CpuidFeature.TSC, CpuidFeature.RDTSCP, CpuidFeature.CPUID,
        CpuidFeature.SYSCALL, CpuidFeature.SEP, CpuidFeature.INVPCID, CpuidFeature.FSGSBASE, CpuidFeature.SMAP, CpuidFeature.MULTIBYTENOP,
        CpuidFeature.PAUSE, CpuidFeature.CLFSH, CpuidFeature.CLFLUSHOPT, CpuidFeature.CLWB, CpuidFeature.MONITOR,
    ];

    private static readonly RandomForms LongForms = RandomForms.Of(form => form.Mode64);
    private static readonly RandomForms NarrowForms = RandomForms.Of(form => form.Mode32 || form.Mode16);

    /// <summary>Fills a buffer with code.</summary>
    /// <param name="random">Decides.</param>
    /// <param name="bitness">64, or 32 for opcodes that code of 16 and 32 bits has.</param>
    /// <param name="code">The buffer.</param>
    public static void Fill(CaseRandom random, int bitness, Span<byte> code)
    {
        RandomForms forms = bitness == 64 ? LongForms : NarrowForms;
        bool plain = random.Percent(30);
        int at = 0;
        while (at < code.Length)
        {
            if (plain || random.Percent(10))
                Write(code, ref at, (byte)random.Next());
            else
                WriteInstruction(random, forms, code, ref at);
        }
    }

    private static void WriteInstruction(CaseRandom random, RandomForms forms, Span<byte> code, ref int at)
    {
        OpCodeInfo form = random.Pick<OpCodeInfo>(random.Percent(95) ? forms.Emulated : forms.All);
        while (random.Percent(30))
            Write(code, ref at, random.Pick<byte>(Prefixes));
        foreach (byte value in (ReadOnlySpan<byte>)MandatoryPrefix(form))
            Write(code, ref at, value);
        foreach (byte value in (ReadOnlySpan<byte>)Escape(form))
            Write(code, ref at, value);
        if (form.OpCodeLength == 2)
            Write(code, ref at, (byte)(form.OpCode >> 8));
        Write(code, ref at, (byte)form.OpCode);
        // ModRM: the group's own reg field, mostly a register as base without displacement, for those hit memory.
        byte modRm = random.Percent(50) ? (byte)(random.Next() & 0x3F) : (byte)random.Next();
        if (form.IsGroup)
            modRm = (byte)((modRm & 0xC7) | (form.GroupIndex << 3));
        if (form.OpCodeLength == 1)
            Write(code, ref at, modRm);
    }

    private static byte[] MandatoryPrefix(OpCodeInfo form) => form.MandatoryPrefix switch
    {
        Iced.Intel.MandatoryPrefix.P66 => [0x66],
        Iced.Intel.MandatoryPrefix.PF3 => [0xF3],
        Iced.Intel.MandatoryPrefix.PF2 => [0xF2],
        _ => form.OperandSize == 64 ? [0x48] : form.OperandSize == 16 ? [0x66] : [],
    };

    private static byte[] Escape(OpCodeInfo form) => form.Table switch
    {
        OpCodeTableKind.T0F => [0x0F],
        OpCodeTableKind.T0F38 => [0x0F, 0x38],
        OpCodeTableKind.T0F3A => [0x0F, 0x3A],
        _ => [],
    };

    // Every opcode of a mode up to VEX: what exists reaches further into the decoder and the handlers than noise does.
    private sealed record RandomForms(OpCodeInfo[] All, OpCodeInfo[] Emulated)
    {
        public static RandomForms Of(Func<OpCodeInfo, bool> isOfMode)
        {
            OpCodeInfo[] all =
            [
                .. Enum.GetValues<Code>().Select(code => code.ToOpCode())
                    .Where(form => form.IsInstruction && isOfMode(form) && form.Encoding == EncodingKind.Legacy),
            ];
            return new RandomForms(all, [.. all.Where(form => form.Code.CpuidFeatures().All(RandomProgram.Emulated.Contains))]);
        }
    }

    private static void Write(Span<byte> code, ref int at, byte value)
    {
        if (at < code.Length)
            code[at++] = value;
    }
}
