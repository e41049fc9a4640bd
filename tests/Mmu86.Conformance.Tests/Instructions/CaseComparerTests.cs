using Iced.Intel;
using Mmu86.TestKit.HostCpu;
using Xunit;

namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>The comparison finds what differs and forgives what the manual leaves undefined, and nothing else.</summary>
public sealed class CaseComparerTests
{
    private const ulong Carry = 1 << 0;
    private const ulong Adjust = 1 << 4;
    private const ulong Overflow = 1 << 11;

    private static readonly CaseComparer Comparer = new(TestData.UndefinedFlags());

    [Theory]
    [InlineData("48 01 D8", Carry, false)]          // add rax, rbx
    [InlineData("48 01 D8", Adjust, false)]
    [InlineData("48 21 D8", Adjust, true)]          // and rax, rbx
    [InlineData("48 21 D8", Carry, false)]
    [InlineData("D1 E0", Overflow, false)]          // shl eax, 1
    [InlineData("C1 E0 02", Overflow, true)]        // shl eax, 2
    [InlineData("C1 E0 22", Overflow, true)]        // shl eax, 34: 2
    [InlineData("C1 E0 21", Overflow, false)]       // shl eax, 33: 1
    [InlineData("C1 E0 20", Adjust, false)]         // shl eax, 32: none
    [InlineData("C0 E0 08", Carry, true)]           // shl al, 8
    [InlineData("C0 E0 07", Carry, false)]          // shl al, 7
    [InlineData("C0 F8 08", Carry, false)]          // sar al, 8
    [InlineData("D3 E0", Overflow, true)]           // shl eax, cl: 3
    [InlineData("66 0F A4 D8 11", Carry, true)]     // shld ax, bx, 17
    [InlineData("66 0F A4 D8 10", Carry, false)]    // shld ax, bx, 16
    [InlineData("F6 D0", Adjust, false)]            // not al
    public void Compare_FlagsThatDiffer_AreForgivenOnlyWhereUndefined(string code, ulong flag, bool forgiven)
    {
        InstructionCase test = CaseWriter.Create(code, (Register.RCX, 3));
        SubjectResult expected = Completed();
        SubjectResult actual = expected with { Flags = expected.Flags ^ flag };
        Assert.Equal(forgiven, Comparer.Compare(test, expected, actual).Count == 0);
    }

    [Fact]
    public void Compare_UndefinedFlagAfterFault_IsNotForgiven()
    {
        // and [rax], rbx: a fault leaves flags as they were.
        InstructionCase test = CaseWriter.Create("48 21 18");
        SubjectResult expected = Completed() with { Vector = 14, ErrorCode = 6, Rip = ScratchMemory.CodeStart };
        Assert.NotEmpty(Comparer.Compare(test, expected, expected with { Flags = expected.Flags ^ Adjust }));
    }

    [Fact]
    public void Compare_UndefinedFlagAfterFaultOfTheNextFetch_IsForgiven()
    {
        // and rax, rbx: done, and what follows is not mapped.
        InstructionCase test = CaseWriter.Create("48 21 D8");
        SubjectResult expected = Completed() with { Vector = 14, ErrorCode = 0x14 };
        Assert.Empty(Comparer.Compare(test, expected, expected with { Flags = expected.Flags ^ Adjust }));
    }

    [Fact]
    public void Compare_BitScanOfZero_ForgivesOnlyTheUpperHalf()
    {
        const ulong zero = 1 << 6;
        // bsf ecx, eax
        InstructionCase test = CaseWriter.Create("0F BC C8");
        SubjectResult expected = Completed() with { Flags = 0x202 | zero };
        SubjectResult upper = expected;
        upper.Registers[1] = 1UL << 32;
        SubjectResult lower = expected;
        lower.Registers[1] = 1;
        Assert.Empty(Comparer.Compare(test, expected, upper));
        Assert.NotEmpty(Comparer.Compare(test, expected, lower));
        Assert.NotEmpty(Comparer.Compare(test, expected with { Flags = 0x202 }, upper with { Flags = 0x202 }));
    }

    [Theory]
    [InlineData("A7", true)] // cmpsd: which operand is read first is not specified
    [InlineData("AF", false)] // scasd has one operand
    public void Compare_FaultOfTheOtherOperand_IsForgivenToCmps(string code, bool isForgiven)
    {
        InstructionCase test = CaseWriter.Create(code);
        SubjectResult expected = default(SubjectResult) with { Vector = 14, ErrorCode = 4, FaultAddress = 0x1000, Flags = 0x202, Rip = test.EntryPoint };
        Assert.Equal(isForgiven, Comparer.Compare(test, expected, expected with { FaultAddress = 0x2000 }).Count == 0);
        Assert.Equal(isForgiven, Comparer.Compare(test, expected, expected with { Vector = 13, ErrorCode = 0, FaultAddress = 0 }).Count == 0);
        Assert.NotEmpty(Comparer.Compare(test, expected, expected with { Vector = 6, ErrorCode = 0, FaultAddress = 0 }));
        Assert.NotEmpty(Comparer.Compare(test, expected, expected with { Rip = test.EntryPoint + 1, FaultAddress = 0x2000 }));
    }

    [Theory]
    [InlineData(0UL, true)] // nothing to do
    [InlineData(5UL, true)] // the first element faulted
    [InlineData(9UL, false)] // four elements were done
    public void Compare_RepetitionThatDoesNothing_ForgivesTheUpperHalf(ulong count, bool isForgiven)
    {
        // rep movsd with 32-bit addresses
        InstructionCase test = CaseWriter.Create("67 F3 A5");
        test.Registers[1] = count;
        SubjectResult expected = default(SubjectResult) with { Vector = 14, Flags = 0x202, Rip = test.EntryPoint };
        expected.Registers[1] = Math.Min(count, 5);
        SubjectResult actual = expected;
        actual.Registers[1] |= 1UL << 32;
        Assert.Equal(isForgiven, Comparer.Compare(test, expected, actual).Count == 0);
    }

    [Fact]
    public void Compare_EveryPartOfTheState_IsLookedAt()
    {
        InstructionCase test = CaseWriter.Create("90");
        SubjectResult expected = Completed();
        SubjectResult register = expected;
        register.Registers[15] = 1;
        SubjectResult memory = expected;
        memory.Window[255] = 1;
        SubjectResult[] different =
        [
            register,
            memory,
            expected with { Rip = 1 },
            expected with { Vector = 13 },
            expected with { ErrorCode = 1 },
            expected with { FaultAddress = 1 },
            expected with { FsBase = 1 },
            expected with { GsBase = 1 },
            expected with { StraySum = 1 },
        ];
        Assert.Empty(Comparer.Compare(test, expected, expected));
        Assert.All(different, actual => Assert.Single(Comparer.Compare(test, expected, actual)));
    }

    [Theory]
    [InlineData("add ; always")]
    [InlineData("add ; sometimes ; CF")]
    [InlineData("add ; always ; XF")]
    [InlineData("ad ; always ; CF")]
    public void Parse_WrongLine_IsQuoted(string line)
    {
        FormatException error = Assert.Throws<FormatException>(() => UndefinedFlags.Parse([line]));
        Assert.Contains(line, error.Message);
    }

    private static SubjectResult Completed() =>
        default(SubjectResult) with { Vector = SubjectResult.Completed, Flags = 0x202, Rip = ScratchMemory.CodeStart + 8 };
}
