using BenchmarkDotNet.Attributes;
using Iced.Intel;
using Mmu86.Lab;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Bench.Parts;

/// <summary>What instructions cost whose work is in the MMU, in the event delivery or in string copies, and loads that the filter does not answer.</summary>
public class InstructionCosts
{
    private const int Rounds = 1000;
    private const int L1Pages = 64;
    private const int L2Pages = 1024;
    private const int StringBytes = 1 << 20;
    private const ulong SecondString = GuestLoop.DataAddress + (16 << 20);
    private const ulong InterruptTable = 2 << 20;
    private const ulong NotMapped = 1UL << 40;

    private GuestLoop _loop = null!;

    [GlobalSetup(Target = nameof(Load_FilterAnswers))]
    public void SetUpLoads() => Set(
        c => c.mov(rbx, GuestLoop.DataAddress),
        c =>
        {
            for (int page = 0; page < L1Pages; page++)
                c.mov(rax, __[rbx + (4096 * (page % 16))]);
        });

    /// <summary>A load, its page the most recent of its set: the filter answers.</summary>
    [Benchmark(OperationsPerInvoke = Rounds * L1Pages, Description = "MOV from memory, L1 hit of the most recent way")]
    public void Load_FilterAnswers() => _loop.Run();

    [GlobalSetup(Target = nameof(Load_OtherWay))]
    public void SetUpLoadsOfOtherWays() => Set(
        c => c.mov(rbx, GuestLoop.DataAddress),
        c =>
        {
            for (int page = 0; page < L1Pages; page++)
                c.mov(rax, __[rbx + (4096 * page)]);
        });

    /// <summary>A load, its page in another way than the most recent: the slow handler and a hit of the modelled first level.</summary>
    [Benchmark(OperationsPerInvoke = Rounds * L1Pages, Description = "MOV from memory, L1 hit of another way")]
    public void Load_OtherWay() => _loop.Run();

    [GlobalSetup(Target = nameof(Load_SecondLevel))]
    public void SetUpLoadsOfSecondLevel() => Set(
        c => c.mov(rbx, GuestLoop.DataAddress),
        c =>
        {
            for (int page = 0; page < L2Pages; page++)
                c.mov(rax, __[rbx + (4096 * page)]);
        });

    /// <summary>A load whose page only the second level has.</summary>
    [Benchmark(OperationsPerInvoke = Rounds * L2Pages, Description = "MOV from memory, L2 hit")]
    public void Load_SecondLevel() => _loop.Run();

    [GlobalSetup(Target = nameof(MovCr3))]
    public void SetUpMovCr3() => Set(c => c.mov(rax, cr3), c => c.mov(cr3, rax));

    /// <summary>MOV CR3 of the same value, which drops all translations, and the fetch that walks for them again.</summary>
    [Benchmark(OperationsPerInvoke = Rounds, Description = "MOV CR3 and the fetch behind it")]
    public void MovCr3() => _loop.Run();

    [GlobalSetup(Target = nameof(MovCr3WithPcid))]
    public void SetUpMovCr3WithPcid() => Set(
        c =>
        {
            c.mov(rax, cr4);
            c.bts(rax, 17);
            c.mov(cr4, rax);
            c.mov(rax, cr3);
            c.bts(rax, 63);
        },
        c => c.mov(cr3, rax));

    /// <summary>A switch of address spaces as systems with PCIDs make it: what is cached stays.</summary>
    [Benchmark(OperationsPerInvoke = Rounds, Description = "MOV CR3 with a PCID, translations kept, and the fetch behind it")]
    public void MovCr3WithPcid() => _loop.Run();

    [GlobalSetup(Target = nameof(PageFault))]
    public void SetUpPageFault()
    {
        Label handler = default;
        Set(new GuestLoopCode
        {
            Prepare = c =>
            {
                handler = c.CreateLabel();
                EmitInterruptGate(c, 14, handler);
                c.mov(rdi, NotMapped);
            },
            Body = c => c.mov(rax, __[rdi]),
            Behind = c =>
            {
                // The handler returns behind the load, which is three bytes long.
                c.Label(ref handler);
                c.add(rsp, 8);
                c.add(__qword_ptr[rsp], 3);
                c.iretq();
            },
        });
    }

    /// <summary>A load that faults, a handler of two instructions, IRETQ.</summary>
    [Benchmark(OperationsPerInvoke = Rounds, Description = "#PF, two instructions of its handler, IRETQ")]
    public void PageFault() => _loop.Run();

    [GlobalSetup(Target = nameof(RepMovsb))]
    public void SetUpRepMovsb() => SetString(c => c.rep.movsb(), StringBytes);

    /// <summary>REP MOVSB, for each byte.</summary>
    [Benchmark(OperationsPerInvoke = StringBytes, Description = "REP MOVSB, a byte")]
    public void RepMovsb() => _loop.Run();

    [GlobalSetup(Target = nameof(RepMovsq))]
    public void SetUpRepMovsq() => SetString(c => c.rep.movsq(), StringBytes / 8);

    /// <summary>REP MOVSQ, for each byte.</summary>
    [Benchmark(OperationsPerInvoke = StringBytes, Description = "REP MOVSQ, a byte")]
    public void RepMovsq() => _loop.Run();

    [GlobalSetup(Target = nameof(RepStosb))]
    public void SetUpRepStosb() => SetString(c => c.rep.stosb(), StringBytes);

    /// <summary>REP STOSB, for each byte.</summary>
    [Benchmark(OperationsPerInvoke = StringBytes, Description = "REP STOSB, a byte")]
    public void RepStosb() => _loop.Run();

    [GlobalCleanup]
    public void CleanUp() => _loop.Dispose();

    private void Set(Action<Assembler> prepare, Action<Assembler> body) => Set(new GuestLoopCode { Prepare = prepare, Body = body });

    private void Set(GuestLoopCode code) => _loop = new GuestLoop(Fidelity.Tlb, Rounds, code);

    private void SetString(Action<Assembler> instruction, ulong elements) => _loop = new GuestLoop(
        Fidelity.Tlb,
        1,
        new GuestLoopCode
        {
            Body = c =>
            {
                c.mov(rbx, rcx);
                c.mov(rsi, GuestLoop.DataAddress);
                c.mov(rdi, SecondString);
                c.mov(rcx, elements);
                instruction(c);
                c.mov(rcx, rbx);
            },
        });

    // A gate of an interrupt handler in ring 0, and an IDT that has no other.
    private static void EmitInterruptGate(Assembler c, int vector, Label handler)
    {
        const int GateBytes = 16;
        const uint Selector = 0x08, PresentInterruptGate = 0x8E00;
        ulong gate = InterruptTable + (ulong)(vector * GateBytes), pointer = InterruptTable + 4096;
        c.lea(rax, __[handler]);
        c.mov(rdi, gate);
        c.mov(__word_ptr[rdi], ax);
        c.mov(__word_ptr[rdi + 2], Selector);
        c.shr(rax, 16);
        c.mov(__word_ptr[rdi + 4], PresentInterruptGate);
        c.mov(__word_ptr[rdi + 6], ax);
        c.mov(rdi, pointer);
        c.mov(__word_ptr[rdi], 4095);
        c.mov(rax, InterruptTable);
        c.mov(__qword_ptr[rdi + 2], rax);
        c.lidt(__[rdi]);
    }
}
