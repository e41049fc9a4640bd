namespace Mmu86.Cpu;

/// <summary>What CPUID reports for one leaf and subleaf.</summary>
public readonly record struct CpuidResult(uint Eax, uint Ebx, uint Ecx, uint Edx);

/// <summary>Answers CPUID; the machine description implements it.</summary>
public interface ICpuidSource
{
    /// <summary>The leaf as the machine has it. Bits that depend on the state (OSXSAVE, APIC id) are the caller's.</summary>
    CpuidResult Read(uint leaf, uint subleaf);
}

/// <summary>The guest's clock. SDM 3, "Time-Stamp Counter".</summary>
public interface IVirtualClock
{
    /// <summary>The clock's reading in ticks of the time-stamp counter.</summary>
    /// <param name="instructions">Retired instructions.</param>
    /// <param name="repIterations">Elements of REP string instructions.</param>
    ulong Read(ulong instructions, ulong repIterations);

    /// <summary>Whether it advances by one for each instruction and element and by nothing else: then a block can be known not to pass a moment.</summary>
    bool IsUniform { get; }
}

/// <summary>The default clock: instructions plus REP elements, the same in every fidelity.</summary>
public sealed class InstructionClock : IVirtualClock
{
    /// <inheritdoc/>
    public ulong Read(ulong instructions, ulong repIterations) => instructions + repIterations;

    /// <inheritdoc/>
    public bool IsUniform => true;
}

/// <summary>How a virtual CPU behaves besides what its guest does.</summary>
public sealed record VcpuConfiguration
{
    /// <summary>SYSCALL is a VM exit: a personality answers it.</summary>
    public required bool InterceptSyscalls { get; init; }

    /// <summary>Exceptions are VM exits: there is no guest kernel to take them.</summary>
    public required bool InterceptExceptions { get; init; }

    /// <summary>A hypervisor keeps shadow tables (<see cref="Vcpu.EnterShadow"/>): page faults, INVLPG, INVPCID, accesses to CR3 and writes of what else
    /// decides about translation are VM exits.</summary>
    public bool ShadowsPaging { get; init; }

    public required ICpuidSource Cpuid { get; init; }

    public required IVirtualClock Clock { get; init; }

    /// <summary>Told of every instruction that begins; null where nobody keeps time. Only with an MMU that looks every fetch up.</summary>
    public IInstructionTiming? Timing { get; init; }

    /// <summary>Decoded micro-ops kept at most; when they are used up all code is decoded anew.</summary>
    public required int MaximumMicroOps { get; init; }
}
