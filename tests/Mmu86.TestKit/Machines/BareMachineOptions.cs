using Mmu86.Cpu;
using Mmu86.Paging;
using Mmu86.TestKit.Paging;

namespace Mmu86.TestKit.Machines;

/// <summary>What a test may vary in a <see cref="BareMachine"/>.</summary>
public sealed record BareMachineOptions
{
    /// <summary>The translation hardware; small and filtered to begin with.</summary>
    public MmuConfiguration Mmu { get; init; } = TestMmuConfigurations.SmallSkylake() with { LookUpEveryAccess = false };

    /// <summary>SYSCALL is a VM exit.</summary>
    public bool InterceptSyscalls { get; init; }

    /// <summary>Exceptions are VM exits.</summary>
    public bool InterceptExceptions { get; init; }

    /// <summary>Whatever a hypervisor with shadow tables must see is a VM exit.</summary>
    public bool ShadowsPaging { get; init; }

    /// <summary>What CPUID says; everything that there is, to begin with.</summary>
    public ICpuidSource Cpuid { get; init; } = new FullCpuid();
}
