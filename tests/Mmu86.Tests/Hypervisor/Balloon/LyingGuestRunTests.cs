using Iced.Intel;
using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Running;
using Mmu86.Loaders;
using Mmu86.Tests.Running;
using Mmu86.X86;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Hypervisor.Balloon;

/// <summary>Guests of a few instructions that give their balloon what they must not, beside one that computes.</summary>
public sealed class LyingGuestRunTests
{
    private const ulong LoadAddress = 0x10_0000;
    private const ulong MemoryBytes = 4 << 20;
    private const uint MemoryFrames = 1024;
    private const ushort Ports = 0xC000;
    private const uint RingFrame = 0x200;
    private const ulong Ring = RingFrame << 12;
    private const ulong List = 0x21_0000;
    private const string Neighbour = "memory-kernel random 700 9000 30 5 3";

    [Fact]
    public void FramesOutsideItsMemory_LetItGoOn()
    {
        BalloonRun run = Run(a => Inflate(a, [MemoryFrames, 0xC_0000, 0xF_EE00, 0x10_0000, uint.MaxValue]));

        Assert.StartsWith("Exited 7 ", run.Exits[0], StringComparison.Ordinal);
        Assert.Equal(5UL, run.Counts[0].OutsideMemory);
    }

    [Fact]
    public void FramesTwice_LetItGoOn()
    {
        BalloonRun run = Run(a => Inflate(a, [0x300, 0x300, 0x301, 0x300]));

        Assert.StartsWith("Exited 7 ", run.Exits[0], StringComparison.Ordinal);
        Assert.Equal((2UL, 2UL), (run.Counts[0].InflatedTwice, run.Memory[0].Ballooned));
    }

    [Fact]
    public void ItsStack_ReadsAsZeros()
    {
        BalloonRun run = Run(a =>
        {
            a.mov(rsp, 0x30_0800);
            a.mov(rax, 0x1234);
            a.push(rax);
            Inflate(a, [0x300]);
            a.pop(rbx);
            a.add(ecx, ebx); // nothing is left of it
        });

        Assert.StartsWith("Exited 7 ", run.Exits[0], StringComparison.Ordinal);
        Assert.Equal(1UL, run.Memory[0].BalloonedTouched);
    }

    [Fact]
    public void ItsCode_IsGoneWithTheNextInstruction()
    {
        BalloonRun run = Run(a => Inflate(a, [(uint)(LoadAddress >> 12)]));

        // Zeros are instructions that add AL to a byte; they lead to the end of memory.
        Assert.StartsWith("Fault 71 ", run.Exits[0], StringComparison.Ordinal);
        Assert.Equal(1UL, run.Memory[0].BalloonedTouched);
    }

    [Fact]
    public void AllButItsCode_PageTablesToo_ShutsItDown()
    {
        BalloonRun run = Run(a => InflateAllBut(a, LoadAddress >> 12));

        Assert.StartsWith("Fault 71 ", run.Exits[0], StringComparison.Ordinal);
        Assert.Contains("triple fault", run.Exits[0], StringComparison.Ordinal);
    }

    [Fact]
    public void RingThatGoesRound_LetsItSeeThatTheDeviceNeedsReset()
    {
        BalloonRun run = Run(a =>
        {
            Begin(a);
            a.mov(rdi, (long)Ring);
            a.mov(__dword_ptr[rdi + 8], 4);
            a.mov(__dword_ptr[rdi + 12], 1); // next is itself
            Offer(a);
            a.mov(edx, Ports + 0x12);
            a.@in(al, dx);
            a.movzx(eax, al);
            a.lea(ecx, __[rax - 0x44]); // 3 from 47H: acknowledged, driver, driver OK, needs reset
        });

        Assert.StartsWith("Exited 7 ", run.Exits[0], StringComparison.Ordinal);
    }

    [Fact]
    public void NotificationsWithoutEnd_TakeTheGuestsOwnTime()
    {
        BalloonRun run = Run(a =>
        {
            Begin(a);
            a.mov(ebx, 2000);
            Label again = a.CreateLabel();
            a.Label(ref again);
            a.mov(edx, Ports + 0x10);
            a.xor(eax, eax);
            a.@out(dx, ax);
            a.dec(ebx);
            a.jne(again);
            a.mov(ecx, 3);
        });

        Assert.StartsWith("Exited 7 ", run.Exits[0], StringComparison.Ordinal);
    }

    // ECX is the code with which the guest ends: the code that it is written to be, which makes status 7, unless something went wrong.
    private static BalloonRun Run(Action<Assembler> code)
    {
        var a = new Assembler(64);
        a.xor(ecx, ecx);
        code(a);
        a.mov(eax, ecx);
        a.mov(edx, 0xF4);
        a.@out(dx, eax);
        a.hlt();
        var image = new MemoryStream();
        a.Assemble(new StreamCodeWriter(image), LoadAddress);
        var liar = new RunOptions
        {
            Program = new ProgramImage { Name = "liar", Bytes = image.ToArray(), Arguments = [] },
            Format = ImageKind.Flat,
            LoadAddress = LoadAddress,
            Machine = MachineCatalogue.Find("skylake", []),
            Paging = PagingMode.Nested,
            GuestPage = PageSize.Size4K,
            HostPage = PageSize.Size4K,
            Fidelity = Fidelity.Tlb,
            MemoryBytes = MemoryBytes,
            Seed = 1,
        };
        string[] words = Neighbour.Split(' ');
        BalloonRun run = BalloonRun.Run(
            24 << 20, 1, [liar, SmallRuns.Options(Neighbour, PagingMode.Nested, Fidelity.Tlb, PageSize.Size4K) with { MemoryBytes = 16 << 20 }], (_, _, _) => { });
        Assert.Equal(GuestCatalogue.Find(words[0])!.ExpectedOutput(new GuestBuildOptions { Arguments = words[1..], GuestPage = "4k" }), run.Outputs[1]);
        Assert.StartsWith("Exited 1 ", run.Exits[1], StringComparison.Ordinal);
        return run;
    }

    // Status, features, and the inflate queue.
    private static void Begin(Assembler a)
    {
        Out(a, 0x12, 3, 1);
        Out(a, 0x0E, 0, 2);
        Out(a, 0x08, RingFrame, 4);
        Out(a, 0x12, 7, 1);
    }

    private static void Inflate(Assembler a, uint[] frames)
    {
        Begin(a);
        a.mov(rdi, (long)List);
        for (int i = 0; i < frames.Length; i++)
            a.mov(__dword_ptr[rdi + (i * 4)], frames[i]);
        Send(a, (uint)frames.Length);
    }

    private static void InflateAllBut(Assembler a, ulong frame)
    {
        Begin(a);
        a.mov(rdi, (long)List);
        a.xor(eax, eax);
        Label next = a.CreateLabel();
        Label skip = a.CreateLabel();
        a.Label(ref next);
        a.cmp(eax, (int)frame);
        a.je(skip);
        a.mov(__dword_ptr[rdi], eax);
        a.add(rdi, 4);
        a.Label(ref skip);
        a.inc(eax);
        a.cmp(eax, (int)MemoryFrames);
        a.jne(next);
        Send(a, MemoryFrames - 1);
    }

    // One chain of one descriptor; ECX is 3 where the device has returned it.
    private static void Send(Assembler a, uint frames)
    {
        a.mov(rdi, (long)Ring);
        a.mov(rax, (long)List);
        a.mov(__qword_ptr[rdi], rax);
        a.mov(__dword_ptr[rdi + 8], frames * 4);
        a.mov(__dword_ptr[rdi + 12], 0);
        Offer(a);
        a.mov(rdi, (long)Ring + 4096);
        a.movzx(ecx, __word_ptr[rdi + 2]);
        a.add(ecx, 2);
    }

    private static void Offer(Assembler a)
    {
        a.mov(rdi, (long)Ring + 2048);
        a.mov(__word_ptr[rdi + 4], 0);
        a.mov(__word_ptr[rdi + 2], 1);
        Out(a, 0x10, 0, 2);
    }

    private static void Out(Assembler a, int register, uint value, int size)
    {
        a.mov(edx, Ports + register);
        a.mov(eax, value);
        switch (size)
        {
            case 1:
                a.@out(dx, al);
                break;
            case 2:
                a.@out(dx, ax);
                break;
            default:
                a.@out(dx, eax);
                break;
        }
    }
}
