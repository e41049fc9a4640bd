using Iced.Intel;
using Mmu86.TestKit;
using Mmu86.TestKit.HostCpu;
using Xunit;

namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>The cases themselves: that they follow from their seed, cover what they should, and mean the same twice.</summary>
public sealed class CaseGeneratorTests
{
    private const ulong StatusFlags = 0x8D5;

    private static InstructionCaseGenerator Generator() => new(TestData.Seed, InstructionForms.GeneralPurpose, SplitLocks.Avoided);

    [Fact]
    public void Create_SameIndexTwice_IsTheSameCase()
    {
        InstructionCase first = Generator().Create(1234);
        InstructionCase second = Generator().Create(1234);
        Assert.Equal(CaseText.Describe(first), CaseText.Describe(second));
        Assert.Equal(((ReadOnlySpan<byte>)first.Window).ToArray(), ((ReadOnlySpan<byte>)second.Window).ToArray());
    }

    [Fact]
    public void Create_EveryForm_DecodesToItself()
    {
        InstructionCaseGenerator generator = Generator();
        for (int i = 0; i < InstructionForms.GeneralPurpose.Count; i++)
        {
            OpCodeInfo form = InstructionForms.GeneralPurpose[i];
            // Newer hints live in the space of reserved NOPs and have names of their own.
            if (form.IsReservedNop)
                continue;
            // Some are cut off by the end of the code pages or spoilt by LOCK; one in five is not.
            bool found = Enumerable.Range(0, 5).Any(round =>
                CaseText.Decode(generator.Create(i + ((long)round * InstructionForms.GeneralPurpose.Count)))[0].Code == form.Code);
            Assert.True(found, form.ToString());
        }
    }

    [Fact]
    public void GeneralPurposeForms_CoverTheBaseline()
    {
        HashSet<Mnemonic> mnemonics = [.. InstructionForms.GeneralPurpose.Select(form => form.Mnemonic)];
        HashSet<Mnemonic> wanted =
        [
            Mnemonic.Add, Mnemonic.Adc, Mnemonic.Sub, Mnemonic.Sbb, Mnemonic.Cmp, Mnemonic.And, Mnemonic.Or, Mnemonic.Xor, Mnemonic.Test,
            Mnemonic.Not, Mnemonic.Neg, Mnemonic.Inc, Mnemonic.Dec, Mnemonic.Mul, Mnemonic.Imul, Mnemonic.Div, Mnemonic.Idiv,
            Mnemonic.Shl, Mnemonic.Sal, Mnemonic.Shr, Mnemonic.Sar, Mnemonic.Rol, Mnemonic.Ror, Mnemonic.Rcl, Mnemonic.Rcr, Mnemonic.Shld, Mnemonic.Shrd,
            Mnemonic.Bt, Mnemonic.Bts, Mnemonic.Btr, Mnemonic.Btc, Mnemonic.Bsf, Mnemonic.Bsr, Mnemonic.Bswap,
            Mnemonic.Mov, Mnemonic.Movzx, Mnemonic.Movsx, Mnemonic.Movsxd, Mnemonic.Movnti, Mnemonic.Lea, Mnemonic.Xchg, Mnemonic.Xadd, Mnemonic.Xlatb,
            Mnemonic.Cmpxchg, Mnemonic.Cmpxchg8b, Mnemonic.Cmpxchg16b, Mnemonic.Cbw, Mnemonic.Cwde, Mnemonic.Cdqe, Mnemonic.Cwd, Mnemonic.Cdq, Mnemonic.Cqo,
            Mnemonic.Push, Mnemonic.Pop, Mnemonic.Pushf, Mnemonic.Pushfq, Mnemonic.Popf, Mnemonic.Popfq, Mnemonic.Enter, Mnemonic.Leave,
            Mnemonic.Call, Mnemonic.Ret, Mnemonic.Jmp, Mnemonic.Je, Mnemonic.Jg, Mnemonic.Loop, Mnemonic.Loope, Mnemonic.Loopne, Mnemonic.Jecxz, Mnemonic.Jrcxz,
            Mnemonic.Sete, Mnemonic.Cmove, Mnemonic.Clc, Mnemonic.Stc, Mnemonic.Cmc, Mnemonic.Cld, Mnemonic.Std, Mnemonic.Lahf, Mnemonic.Sahf,
            Mnemonic.Movsb, Mnemonic.Movsq, Mnemonic.Cmpsb, Mnemonic.Scasb, Mnemonic.Lodsb, Mnemonic.Stosb,
            Mnemonic.Nop, Mnemonic.Pause, Mnemonic.Endbr64, Mnemonic.Mfence, Mnemonic.Clflush, Mnemonic.Ud2,
        ];
        Assert.Superset(wanted, mnemonics);
    }

    [SkippableFact]
    public void Host_SameCasesTwice_HaveTheSameResults() => AssertRepeatable(Generator().Create, TestTiers.Pick(5_000, 50_000, 200_000));

    [SkippableFact]
    public void Host_SameSequencesTwice_HaveTheSameResults() =>
        AssertRepeatable(new InstructionSequenceGenerator(TestData.Seed, TestData.UndefinedFlags()).Create, TestTiers.Pick(5_000, 50_000, 200_000));

    [Fact]
    public void CreateSequence_ManyIndices_AreMostlySeveralInstructions()
    {
        InstructionSequenceGenerator generator = new(TestData.Seed, TestData.UndefinedFlags());
        Instruction[][] sequences = [.. Enumerable.Range(0, 500).Select(i => CaseText.Decode(generator.Create(i)))];
        Assert.All(sequences, sequence => Assert.InRange(sequence.Length, 2, 16));
        // Pairs that an interpreter may fuse, loops, branches over one instruction.
        Assert.Contains(sequences, sequence => sequence[^1].IsJccShort && sequence[^1].NearBranchTarget == sequence[0].IP);
        Assert.Contains(sequences, sequence => sequence.Zip(sequence.Skip(1)).Any(pair => pair.First.Mnemonic == Mnemonic.Cmp && pair.Second.IsJccShort));
    }

    [SkippableFact]
    public void Host_Cases_MostlyComplete()
    {
        using HostProcessor host = HostProcessor.Start();
        InstructionCase[] cases = CreateCases(10_000);
        SubjectResult[] results = new SubjectResult[cases.Length];
        host.Execute(cases, results);
        Dictionary<ulong, int> endings = results.CountBy(result => result.Vector).ToDictionary();
        Assert.InRange(endings[SubjectResult.Completed], cases.Length * 70 / 100, cases.Length * 95 / 100);
        // Divide error, invalid opcode, general protection and page fault are all there; so is a stack fault.
        Assert.Superset(new HashSet<ulong> { 0, 6, 12, 13, 14 }, endings.Keys.ToHashSet());
    }

    [SkippableFact]
    public void Host_AddAndSubtract_AgreeWithArithmetic()
    {
        using HostProcessor host = HostProcessor.Start();
        InstructionCaseGenerator generator = new(
            TestData.Seed, [Code.Add_rm64_r64.ToOpCode(), Code.Sub_rm64_r64.ToOpCode()], SplitLocks.Avoided);
        int compared = 0;
        for (int i = 0; i < 400; i++)
        {
            InstructionCase test = generator.Create(i);
            Instruction instruction = CaseText.Decode(test)[0];
            SubjectResult result = host.Execute(test);
            if (instruction.Op0Kind != OpKind.Register || result.Vector != SubjectResult.Completed)
                continue;
            ulong left = test.Registers[instruction.Op0Register - Register.RAX];
            ulong right = test.Registers[instruction.Op1Register - Register.RAX];
            bool subtracts = instruction.Mnemonic == Mnemonic.Sub;
            Assert.Equal(subtracts ? left - right : left + right, result.Registers[instruction.Op0Register - Register.RAX]);
            Assert.Equal(Arithmetic(left, right, subtracts), result.Flags & StatusFlags & ~(1UL << 10));
            compared++;
        }

        Assert.InRange(compared, 100, 300);
    }

    private static void AssertRepeatable(Func<long, InstructionCase> create, int count)
    {
        using HostProcessor host = HostProcessor.Start();
        InstructionCase[] cases = new InstructionCase[count];
        for (int i = 0; i < count; i++)
            cases[i] = create(i);
        SubjectResult[] first = new SubjectResult[count];
        SubjectResult[] second = new SubjectResult[count];
        host.Execute(cases, first);
        host.Execute(cases, second);
        CaseComparer comparer = new(TestData.UndefinedFlags());
        MismatchReport report = new(2);
        for (int i = 0; i < count; i++)
        {
            IReadOnlyList<string> differences = comparer.Compare(cases[i], first[i], second[i]);
            if (differences.Count > 0)
                report.Add(i, "second run", cases[i], differences);
        }

        Assert.True(report.Count == 0, report.ToString());
    }

    // Flags as SDM 1 defines them, by arithmetic in 128 bits.
    private static ulong Arithmetic(ulong left, ulong right, bool subtracts)
    {
        Int128 signed = subtracts ? (Int128)(long)left - (long)right : (Int128)(long)left + (long)right;
        ulong result = (ulong)(signed & ulong.MaxValue);
        bool carry = subtracts ? left < right : (UInt128)left + right > ulong.MaxValue;
        bool adjust = subtracts ? (left & 15) < (right & 15) : (left & 15) + (right & 15) > 15;
        bool parity = (System.Numerics.BitOperations.PopCount(result & 0xFF) & 1) == 0;
        return (carry ? 1UL : 0) | (parity ? 4UL : 0) | (adjust ? 16UL : 0) | (result == 0 ? 64UL : 0)
            | ((long)result < 0 ? 128UL : 0) | (signed != (long)result ? 2048UL : 0);
    }

    private static InstructionCase[] CreateCases(int count)
    {
        InstructionCaseGenerator generator = Generator();
        InstructionCase[] cases = new InstructionCase[count];
        for (int i = 0; i < count; i++)
            cases[i] = generator.Create(i);
        return cases;
    }
}
