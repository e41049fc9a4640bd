using Iced.Intel;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Loaders;
using Mmu86.TestKit.Rules;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Running;

/// <summary>Guests that misbehave end in a guest-visible fault or a reported end, natively and nested, never in an exception of ours.</summary>
public sealed class HostileGuestTests
{
    private const ulong LoadAddress = 0x10_0000;
    private const ulong MemoryBytes = 16UL << 20;
    private const ulong Limit = 3_000_000;

    public static TheoryData<PagingMode, Fidelity> Modes => new()
    {
        { PagingMode.Native, Fidelity.Fast },
        { PagingMode.Native, Fidelity.Tlb },
        { PagingMode.Nested, Fidelity.Tlb },
        { PagingMode.Shadow, Fidelity.Tlb },
    };

    [Theory]
    [MemberData(nameof(Modes))]
    public void JumpIntoTheVoid_WithEmptyIdt_ShutsDown(PagingMode paging, Fidelity fidelity)
    {
        ExitReport exit = Run(paging, fidelity, a =>
        {
            a.mov(rax, 0x7FFF_0000_0000);
            a.jmp(rax);
        });
        Assert.Equal((ExitKind.Fault, 71), (exit.Kind, exit.Status));
        Assert.Contains("triple fault", exit.Detail);
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void JumpToNonCanonicalAddress_ShutsDown(PagingMode paging, Fidelity fidelity)
    {
        ExitReport exit = Run(paging, fidelity, a =>
        {
            a.mov(rax, unchecked((long)0x8000_0000_0000_0000));
            a.jmp(rax);
        });
        Assert.Equal(71, exit.Status);
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void EndlessRecursion_EatsItsMemoryAndEnds(PagingMode paging, Fidelity fidelity)
    {
        ExitReport exit = Run(paging, fidelity, a =>
        {
            Label again = a.CreateLabel();
            a.Label(ref again);
            a.call(again);
        });
        Assert.True(exit.Kind is ExitKind.Fault or ExitKind.Limit, exit.ToString());
    }

    [Theory]
    [MemberData(nameof(Modes))]
    [Rule("P16")]
    [Rule("T05")]
    public void PageTablesThatPointToThemselves_AreWalkedAsTheManualSays(PagingMode paging, Fidelity fidelity)
    {
        // Every entry of the PML4 leads to the PML4: any address reads the table itself. The code is gone with the next fetch.
        ExitReport exit = Run(paging, fidelity, a =>
        {
            a.mov(rdi, 0x20_0000);
            a.mov(rax, 0x20_0007);
            a.mov(ecx, 512);
            Label fill = a.CreateLabel();
            a.Label(ref fill);
            a.mov(__[rdi + rcx * 8 - 8], rax);
            a.dec(ecx);
            a.jne(fill);
            a.mov(cr3, rdi);
            a.mov(rbx, __[0x1234_5678]);
            a.jmp(fill);
        });
        Assert.True(exit.Kind is ExitKind.Fault or ExitKind.Limit, exit.ToString());
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void PageTablesOutsideMemory_Fault(PagingMode paging, Fidelity fidelity)
    {
        foreach (long root in new[] { 0x4000_0000L, 0xC000_0000L, 0xF_FFFF_F000L, 0x7F_FFFF_F000L })
        {
            ExitReport exit = Run(paging, fidelity, a =>
            {
                a.mov(rax, root);
                a.mov(cr3, rax);
                a.nop();
                a.hlt();
            });
            Assert.Equal(71, exit.Status);
        }
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void RunsForever_StopsExactlyAtTheLimit(PagingMode paging, Fidelity fidelity)
    {
        foreach (ulong limit in new ulong[] { 1, 2, 63, 64, 65, 1000, 16384, 16385, 100_001 })
        {
            using GuestMachine machine = Build(paging, fidelity, a =>
            {
                Label again = a.CreateLabel();
                a.Label(ref again);
                a.inc(rax);
                a.nop();
                a.jmp(again);
            });
            Assert.Null(machine.Run(limit, _ => { }));
            Assert.Equal(limit, machine.Vcpu.Counters.Instructions);
            Assert.Equal((limit + 2) / 3, machine.Vcpu.Registers.Rax);
        }
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void HaltWithInterruptsOff_IsAnEnd(PagingMode paging, Fidelity fidelity)
    {
        ExitReport exit = Run(paging, fidelity, a => a.hlt());
        Assert.Equal((ExitKind.Halted, 0), (exit.Kind, exit.Status));
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void FetchFromTheDeviceHole_IsNotSupportedInWords(PagingMode paging, Fidelity fidelity)
    {
        ExitReport exit = Run(paging, fidelity, a =>
        {
            a.mov(rax, 0xC000_1000);
            a.jmp(rax);
        });
        Assert.Equal(69, exit.Status);
        Assert.Contains("0xc0001000", exit.Detail);
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void LoadsAndStoresWhereNoDeviceIs_ReadOnesAndAreDropped(PagingMode paging, Fidelity fidelity)
    {
        ExitReport exit = Run(paging, fidelity, a =>
        {
            a.mov(rbx, 0xC000_0000);
            a.mov(__qword_ptr[rbx], 0);
            a.mov(rax, __qword_ptr[rbx]);
            a.inc(rax);
            a.mov(ecx, __dword_ptr[rbx + 0xFFE]); // crosses a page
            a.inc(ecx);
            a.add(eax, ecx);
            Exit(a);
        });
        Assert.Equal((ExitKind.Exited, 1), (exit.Kind, exit.Status));
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void CodeThatPatchesTheNextInstruction_RunsThePatch(PagingMode paging, Fidelity fidelity)
    {
        // MOV AL,1 becomes MOV AL,5 in the block that is running.
        ExitReport exit = Run(paging, fidelity, a =>
        {
            Label target = a.CreateLabel();
            a.lea(rbx, __[target]);
            a.mov(__byte_ptr[rbx + 1], 5);
            a.Label(ref target);
            a.mov(al, 1);
            Exit(a);
        });
        Assert.Equal(11, exit.Status);
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void CodeThatIsPatchedBetweenItsRuns_RunsEachVersion(PagingMode paging, Fidelity fidelity)
    {
        // A loop adds an immediate that it raises in its own code each time: 1 + 2 + ... + 10 = 55.
        ExitReport exit = Run(paging, fidelity, a =>
        {
            Label patched = a.CreateLabel();
            a.xor(eax, eax);
            a.mov(ecx, 10);
            a.lea(rbx, __[patched]);
            a.Label(ref patched);
            a.add(eax, 0x7F01); // the long form: an immediate of 32 bits behind one byte
            a.sub(eax, 0x7F00);
            a.inc(__dword_ptr[rbx + 1]);
            a.dec(ecx);
            a.jne(patched);
            Exit(a);
        });
        Assert.Equal((55 << 1) | 1, exit.Status);
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void CodeFilledWithZeros_UnderItself_Ends(PagingMode paging, Fidelity fidelity)
    {
        ExitReport exit = Run(paging, fidelity, a =>
        {
            a.mov(edi, 0);
            a.mov(ecx, (int)MemoryBytes);
            a.xor(eax, eax);
            a.rep.stosb();
            a.hlt();
        });
        Assert.True(exit.Kind is ExitKind.Fault or ExitKind.Limit, exit.ToString());
    }

    [Fact]
    public void GuestOf64GiB_OnASmallComputer_Runs()
    {
        RunOptions options = SmallRuns.Options("hello", PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K) with { MemoryBytes = 64UL << 30 };
        Assert.Equal("Hello from Mmu86", SmallRuns.Run(options, null, null).Output.Trim());
        Assert.Equal("Hello from Mmu86", SmallRuns.Run(options with { Paging = PagingMode.Native }, null, null).Output.Trim());
    }

    [Theory]
    [InlineData(PagingMode.Nested)]
    [InlineData(PagingMode.Shadow)]
    public void HostWithTooFewFrames_IsAReportedEnd(PagingMode paging)
    {
        RunOptions options = SmallRuns.Options("gups 8192 20000", paging, Fidelity.Tlb, PageSize.Size4K) with { HostMemoryBytes = 8UL << 20 };
        RunTrace run = SmallRuns.Run(options, null, null);
        Assert.StartsWith("Limit 75", run.Exit);
        Assert.Contains("--host-memory", run.Exit);
    }

    private static void Exit(Assembler a)
    {
        a.mov(edx, 0xF4);
        a.@out(dx, al);
        a.hlt();
    }

    private static ExitReport Run(PagingMode paging, Fidelity fidelity, Action<Assembler> code)
    {
        using GuestMachine machine = Build(paging, fidelity, code);
        return machine.Run(Limit, _ => { }) ?? new ExitReport { Kind = ExitKind.Limit, Status = ExitReport.LimitStatus };
    }

    private static GuestMachine Build(PagingMode paging, Fidelity fidelity, Action<Assembler> code)
    {
        var assembler = new Assembler(64);
        code(assembler);
        var image = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(image), LoadAddress);
        return GuestMachine.Build(
            new RunOptions
            {
                Program = new ProgramImage { Name = "hostile", Bytes = image.ToArray(), Arguments = [] },
                Format = ImageKind.Flat,
                LoadAddress = LoadAddress,
                Machine = MachineCatalogue.Find("skylake", []),
                Paging = paging,
                GuestPage = PageSize.Size4K,
                HostPage = PageSize.Size4K,
                Fidelity = fidelity,
                MemoryBytes = MemoryBytes,
                Seed = 1,
            },
            GuestOutput.None,
            null);
    }
}
