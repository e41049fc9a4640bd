using Iced.Intel;
using Mmu86.TestKit.HostCpu;
using Xunit;

namespace Mmu86.Conformance.Tests.Instructions;

/// <summary>The judge judged: what the host reports for cases whose outcome anybody can work out.</summary>
public sealed class HostProcessorTests
{
    private const ulong Carry = 1 << 0;
    private const ulong Zero = 1 << 6;

    [SkippableFact]
    public void Execute_AddThatWraps_SetsCarryAndZero()
    {
        using HostProcessor host = HostProcessor.Start();
        SubjectResult result = host.Execute(CaseWriter.Create("48 01 D8", (Register.RAX, ulong.MaxValue), (Register.RBX, 1)));
        Assert.Equal(SubjectResult.Completed, result.Vector);
        Assert.Equal(0UL, result.Registers[0]);
        Assert.Equal(Carry | Zero, result.Flags & (Carry | Zero));
        Assert.Equal(ScratchMemory.CodeStart + 3, result.Rip);
    }

    [SkippableFact]
    public void Execute_AllRegisters_ComeBackAsTheyWere()
    {
        using HostProcessor host = HostProcessor.Start();
        InstructionCase test = CaseWriter.Create("90");
        for (int i = 0; i < 16; i++)
            test.Registers[i] = 0x1111_1111_1111_1111UL * (ulong)i;
        SubjectResult result = host.Execute(test);
        Assert.Equal(((ReadOnlySpan<ulong>)test.Registers).ToArray(), ((ReadOnlySpan<ulong>)result.Registers).ToArray());
    }

    [SkippableFact]
    public void Execute_StoreToWindow_IsSeenInWindowAlone()
    {
        using HostProcessor host = HostProcessor.Start();
        // mov [rbx], al
        SubjectResult result = host.Execute(CaseWriter.Create("88 03", (Register.RAX, 0xAB), (Register.RBX, ScratchMemory.DataStart + 7)));
        Assert.Equal(0xAB, result.Window[7]);
        Assert.Equal(0UL, result.StraySum);
    }

    [SkippableFact]
    public void Execute_StoreBesideWindow_IsStrayAndForgotten()
    {
        using HostProcessor host = HostProcessor.Start();
        InstructionCase test = CaseWriter.Create("88 03", (Register.RAX, 0xAB), (Register.RBX, ScratchMemory.DataStart + 0x1234));
        Assert.NotEqual(0UL, host.Execute(test).StraySum);
        Assert.Equal(0UL, host.Execute(CaseWriter.Create("90")).StraySum);
    }

    [SkippableFact]
    public void Execute_ReadOfAbsentPage_ReportsPageFaultWithItsAddress()
    {
        using HostProcessor host = HostProcessor.Start();
        // mov al, [rbx]
        SubjectResult result = host.Execute(CaseWriter.Create("8A 03", (Register.RBX, ScratchMemory.DataStart - 3)));
        Assert.Equal(14UL, result.Vector);
        // User, not present, read.
        Assert.Equal(4UL, result.ErrorCode);
        Assert.Equal(ScratchMemory.DataStart - 3, result.FaultAddress);
        Assert.Equal(ScratchMemory.CodeStart, result.Rip);
    }

    [SkippableFact]
    public void Execute_StoreToReadOnlyPage_ReportsProtection()
    {
        using HostProcessor host = HostProcessor.Start();
        SubjectResult result = host.Execute(CaseWriter.Create("88 03", (Register.RBX, ScratchMemory.ReadOnlyStart + 5)));
        Assert.Equal(14UL, result.Vector);
        // User, present, write.
        Assert.Equal(7UL, result.ErrorCode);
    }

    [SkippableFact]
    public void Execute_ReadOfReadOnlyPage_SeesThePattern()
    {
        using HostProcessor host = HostProcessor.Start();
        // mov rax, [rbx]
        SubjectResult result = host.Execute(CaseWriter.Create("48 8B 03", (Register.RBX, ScratchMemory.ReadOnlyStart + 16)));
        Assert.Equal(BitConverter.ToUInt64(ScratchMemory.ReadOnlyPattern(), 16), result.Registers[0]);
    }

    [SkippableTheory]
    [InlineData("F7 F3", 0UL)]                 // div ebx by zero: #DE
    [InlineData("0F 0B", 6UL)]                 // ud2: #UD
    [InlineData("F4", 13UL)]                   // hlt in ring 3: #GP
    [InlineData("48 8B 04 25 00 00 00 80", 14UL)] // a page of the kernel's half: #PF
    public void Execute_Fault_ReportsItsVector(string code, ulong vector)
    {
        using HostProcessor host = HostProcessor.Start();
        Assert.Equal(vector, host.Execute(CaseWriter.Create(code)).Vector);
    }

    [SkippableFact]
    public void Execute_TakenBranch_EndsAtItsTarget()
    {
        using HostProcessor host = HostProcessor.Start();
        // jmp +0x10
        SubjectResult result = host.Execute(CaseWriter.Create("EB 10"));
        Assert.Equal(SubjectResult.Completed, result.Vector);
        Assert.Equal(ScratchMemory.CodeStart + 0x12, result.Rip);
    }

    [SkippableFact]
    public void Execute_CodeOffTheEnd_FaultsOnTheFetch()
    {
        using HostProcessor host = HostProcessor.Start();
        // The first two bytes of a MOV of five.
        InstructionCase test = CaseWriter.Create("B8 01");
        test.CodeAddress = ScratchMemory.CodeStart + ScratchMemory.CodeBytes - 2;
        SubjectResult result = host.Execute(test);
        Assert.Equal(14UL, result.Vector);
        Assert.Equal(ScratchMemory.CodeStart + ScratchMemory.CodeBytes, result.FaultAddress);
        // User, not present, fetch.
        Assert.Equal(0x14UL, result.ErrorCode);
    }

    [SkippableFact]
    public void Execute_SegmentBases_AreTheCases()
    {
        using HostProcessor host = HostProcessor.Start();
        // mov rax, fs:[rbx]; mov rcx, gs:[rbx]
        InstructionCase test = CaseWriter.Create("64 48 8B 03 65 48 8B 0B");
        test.FsBase = ScratchMemory.DataStart + 8;
        test.GsBase = ScratchMemory.DataStart + 16;
        test.Window[8] = 1;
        test.Window[16] = 2;
        SubjectResult result = host.Execute(test);
        Assert.Equal(1UL, result.Registers[0]);
        Assert.Equal(2UL, result.Registers[1]);
        Assert.Equal(test.FsBase, result.FsBase);
    }
}
