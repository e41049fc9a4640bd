using Iced.Intel;
using Mmu86.Cpu;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Timing;

/// <summary>What timing is told of instructions.</summary>
public sealed class InstructionFactsReaderTests
{
    private const uint Rax = 1 << 0, Rcx = 1 << 1, Rdx = 1 << 2, Rbx = 1 << 3, Rsp = 1 << 4, Rsi = 1 << 6, Rdi = 1 << 7, R9 = 1 << 9, Flags = 1 << 16;

    [Fact]
    public void Read_PointerChase_WaitsForItsAddressAndIsAMove() =>
        Check(c => c.mov(rax, __[rax]), reads: Rax, addresses: Rax, writes: Rax, bytes: 8, InstructionTraits.None);

    [Fact]
    public void Read_LoadAndAdd_TakesOnlyBaseAndIndexForTheAddress() =>
        Check(c => c.add(r9, __[rbx + (rcx * 8)]), reads: R9 | Rbx | Rcx, addresses: Rbx | Rcx, writes: R9 | Flags, bytes: 8, InstructionTraits.Computes);

    [Fact]
    public void Read_ReadModifyWrite_ModifiesAndMakesFlags() =>
        Check(c => c.add(__dword_ptr[rdi], eax), reads: Rax | Rdi, addresses: Rdi, writes: Flags, bytes: 4, InstructionTraits.Computes | InstructionTraits.Modifies);

    [Fact]
    public void Read_Store_WritesNoRegister() =>
        Check(c => c.mov(__word_ptr[rdi + 2], ax), reads: Rax | Rdi, addresses: Rdi, writes: 0, bytes: 2, InstructionTraits.None);

    [Fact]
    public void Read_Pop_DoesNotMakeTheStackPointerWait() =>
        Check(c => c.pop(rbx), reads: Rsp, addresses: Rsp, writes: Rbx, bytes: 8, InstructionTraits.None);

    [Fact]
    public void Read_Push_WritesNothingToWaitFor() =>
        Check(c => c.push(rbx), reads: Rbx | Rsp, addresses: Rsp, writes: 0, bytes: 8, InstructionTraits.None);

    [Fact]
    public void Read_LoadEffectiveAddress_AccessesNothing() =>
        Check(c => c.lea(rax, __[rbx + 8]), reads: Rbx, addresses: 0, writes: Rax, bytes: 8, InstructionTraits.Computes);

    [Fact]
    public void Read_ConditionalJump_NeedsFlags() =>
        Check(c => c.jne(0x20), reads: Flags, addresses: 0, writes: 0, bytes: 8, InstructionTraits.Computes);

    [Fact]
    public void Read_RepeatedMove_LeavesItsPointersToThemselves() =>
        Check(c => c.rep.movsq(), reads: Rcx | Rsi | Rdi, addresses: Rsi | Rdi, writes: 0, bytes: 8, InstructionTraits.Computes, mayReadMore: Flags);

    [Fact]
    public void Read_ReadTimeStampCounter_Serialises() =>
        Check(c => c.rdtsc(), reads: 0, addresses: 0, writes: Rax | Rdx, bytes: 8, InstructionTraits.Computes | InstructionTraits.Serialises);

    [Fact]
    public void Read_PrivilegedInstruction_Serialises() =>
        Check(c => c.mov(cr3, rax), reads: Rax, addresses: 0, writes: 0, bytes: 8, InstructionTraits.Serialises, mayWriteMore: Flags);

    private static void Check(
        Action<Assembler> write, uint reads, uint addresses, uint writes, byte bytes, InstructionTraits traits, uint mayReadMore = 0, uint mayWriteMore = 0)
    {
        var assembler = new Assembler(64);
        write(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), 0);
        byte[] code = stream.ToArray();
        Instruction instruction = Decoder.Create(64, code).Decode();
        InstructionFacts facts = new InstructionFactsReader().Read(instruction);
        Assert.Equal(reads, facts.Reads & ~mayReadMore);
        Assert.Equal(addresses, facts.Addresses);
        Assert.Equal(writes, facts.Writes & ~mayWriteMore);
        Assert.Equal((code.Length, bytes, traits), (facts.Length, facts.AccessBytes, facts.Traits));
    }
}
