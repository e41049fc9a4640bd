using Iced.Intel;
using Mmu86.Cpu;
using Mmu86.Lab;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Running;
using Mmu86.X86;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Bench.Parts;

/// <summary>What a <see cref="GuestLoop"/> is made of.</summary>
internal sealed record GuestLoopCode
{
    /// <summary>Emitted in front of the loop. RCX is taken.</summary>
    public Action<Assembler> Prepare { get; init; } = _ => { };

    /// <summary>The body of the loop.</summary>
    public required Action<Assembler> Body { get; init; }

    /// <summary>Emitted behind the halt: handlers.</summary>
    public Action<Assembler> Behind { get; init; } = _ => { };

    /// <summary>The function at <see cref="GuestLoop.FunctionAddress"/>.</summary>
    public Action<Assembler> Function { get; init; } = c => c.ret();
}

/// <summary>A few instructions of a ring-0 guest, run over and over: a flat image that counts RCX down and halts.</summary>
internal sealed class GuestLoop : IDisposable
{
    /// <summary>Where the code begins.</summary>
    public const ulong CodeAddress = 1 << 20;

    /// <summary>Where the function begins that the loop may call: a page of its own.</summary>
    public const ulong FunctionAddress = CodeAddress + (64 << 10);

    /// <summary>Memory that is free for the guest's data, 64 MiB of it.</summary>
    public const ulong DataAddress = 16 << 20;

    private readonly GuestMachine _machine;
    private readonly ulong _rounds;

    /// <summary>Assembles the loop.</summary>
    /// <param name="fidelity">How much is modelled.</param>
    /// <param name="rounds">How often the body runs in each <see cref="Run"/>.</param>
    /// <param name="code">What is assembled.</param>
    public GuestLoop(Fidelity fidelity, int rounds, GuestLoopCode code)
    {
        _rounds = (ulong)rounds;
        _machine = GuestMachine.Build(
            new RunOptions
            {
                Program = new ProgramImage { Name = "loop", Bytes = Assemble(code), Arguments = [] },
                Format = Loaders.ImageKind.Flat,
                Machine = MachineCatalogue.Preset(MachineCatalogue.DefaultName),
                Paging = PagingMode.Native,
                GuestPage = PageSize.Size4K,
                HostPage = PageSize.Size4K,
                Fidelity = fidelity,
                MemoryBytes = 128UL << 20,
                Seed = 1,
            },
            GuestOutput.None,
            observer: null);
    }

    /// <summary>Runs the loop to its end.</summary>
    /// <exception cref="MeasurementException">The guest did something else than to halt.</exception>
    public void Run()
    {
        _machine.Vcpu.Registers.Rip = CodeAddress;
        _machine.Vcpu.Registers.Rcx = _rounds;
        VmExit exit = _machine.Vcpu.Run(ulong.MaxValue);
        if (exit.Reason != VmExitReason.Halt)
            throw new MeasurementException($"The loop ended as {exit}.");
    }

    public void Dispose() => _machine.Dispose();

    private static byte[] Assemble(GuestLoopCode code)
    {
        using var image = new MemoryStream();
        var c = new Assembler(64);
        Label next = c.CreateLabel();
        code.Prepare(c);
        c.Label(ref next);
        code.Body(c);
        c.dec(rcx);
        c.jnz(next);
        c.hlt();
        code.Behind(c);
        c.Assemble(new StreamCodeWriter(image), CodeAddress);

        image.SetLength((long)(FunctionAddress - CodeAddress));
        image.Position = image.Length;
        var function = new Assembler(64);
        code.Function(function);
        function.Assemble(new StreamCodeWriter(image), FunctionAddress);
        return image.ToArray();
    }
}
