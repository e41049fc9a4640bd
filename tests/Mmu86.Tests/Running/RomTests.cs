using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;
using Mmu86.Loaders;
using Mmu86.X86;
using Xunit;

namespace Mmu86.Tests.Running;

/// <summary>ROMs start in the state after RESET: at FFFFFFF0H, in the ROM below 4 GiB. SDM 3, "Processor State After Reset".</summary>
public sealed class RomTests
{
    private const int RomBytes = 0x1_0000;

    // mov al, 12h; out 0F4h, al: the debug exit, status (12h << 1) | 1.
    private static readonly byte[] s_exit = [0xB0, 0x12, 0xE6, 0xF4];

    public static TheoryData<PagingMode, Fidelity> Modes => new()
    {
        { PagingMode.Native, Fidelity.Fast },
        { PagingMode.Native, Fidelity.Tlb },
        { PagingMode.Native, Fidelity.Cycles },
        { PagingMode.Nested, Fidelity.Tlb },
    };

    // The code puts HLT over its alias below 1 MiB, and goes on where it is: in the ROM, which nothing changes.
    [Theory]
    [MemberData(nameof(Modes))]
    public void Reset_CodeThatOverwritesItsAlias_RunsOnInTheRom(PagingMode paging, Fidelity fidelity)
    {
        byte[] rom = Rom(code:
        [
            0xB8, 0x00, 0xF0, // mov ax, 0F000h
            0x8E, 0xD8, // mov ds, ax
            0xC6, 0x06, 0xFE, 0x1F, 0xF4, // mov byte [1FFEh], 0F4h
            0xC6, 0x06, 0x00, 0x20, 0xF4, // mov byte [2000h], 0F4h
            0xE9, 0xEC, 0x0F, // jmp 1FFEh
        ]);
        // An instruction across two pages of the ROM, then the exit.
        rom[0x1FFE] = 0xB8; // mov ax, imm16
        s_exit.CopyTo(rom, 0x2001);

        Assert.Equal((ExitKind.Exited, 0x25), Run(rom, paging, fidelity));
    }

    // A far jump to F000:3000 loads the base anew: from there on the alias runs, which is RAM.
    [Theory]
    [MemberData(nameof(Modes))]
    public void FarJump_LeadsIntoTheAliasBelowOneMebibyte(PagingMode paging, Fidelity fidelity)
    {
        byte[] rom = Rom(code:
        [
            0xB8, 0x00, 0xF0, // mov ax, 0F000h
            0x8E, 0xD8, // mov ds, ax
            0xC6, 0x06, 0x01, 0x30, 0x34, // mov byte [3001h], 34h
            0xEA, 0x00, 0x30, 0x00, 0xF0, // jmp 0F000h:3000h
        ]);
        s_exit.CopyTo(rom, 0x3000);

        Assert.Equal((ExitKind.Exited, 0x69), Run(rom, paging, fidelity));
    }

    // EDX has the processor's signature, CR0 has CD, NW and ET only, the IDT may have 64 KiB.
    [Fact]
    public void Reset_RegistersAreThoseOfTheManual()
    {
        byte[] rom = Rom(code:
        [
            0x0F, 0x20, 0xC0, // mov eax, cr0
            0x66, 0x3D, 0x10, 0x00, 0x00, 0x60, // cmp eax, 60000010h
            0x75, 0x0B, // jne to HLT
            0x66, 0x81, 0xFA, 0xE3, 0x06, 0x05, 0x00, // cmp edx, 506E3h
            0x75, 0x02, // jne to HLT
            0xEB, 0x01, 0xF4, 0xB0, 0x12, 0xE6, 0xF4, // jmp over HLT; the exit
        ]);

        Assert.Equal((ExitKind.Exited, 0x25), Run(rom, PagingMode.Native, Fidelity.Tlb));
    }

    // Code at offset 1000h, to which the reset vector jumps near.
    private static byte[] Rom(ReadOnlySpan<byte> code)
    {
        byte[] rom = new byte[RomBytes];
        Array.Fill(rom, (byte)0xF4);
        code.CopyTo(rom.AsSpan(0x1000));
        ((ReadOnlySpan<byte>)[0xE9, 0x0D, 0x10]).CopyTo(rom.AsSpan(0xFFF0)); // jmp 1000h
        return rom;
    }

    private static (ExitKind Kind, int Status) Run(byte[] rom, PagingMode paging, Fidelity fidelity)
    {
        using GuestMachine machine = GuestMachine.Build(
            new RunOptions
            {
                Program = new ProgramImage { Name = "rom", Bytes = rom, Arguments = [] },
                Format = ImageKind.Rom,
                Machine = MachineCatalogue.Find("skylake", []),
                Paging = paging,
                GuestPage = PageSize.Size4K,
                HostPage = PageSize.Size4K,
                Fidelity = fidelity,
                MemoryBytes = 16UL << 20,
                Seed = 1,
            },
            GuestOutput.None,
            null);
        ExitReport exit = machine.Run(1000, _ => { }) ?? new ExitReport { Kind = ExitKind.Limit, Status = ExitReport.LimitStatus };
        return (exit.Kind, exit.Status);
    }
}
