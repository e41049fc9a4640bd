using Mmu86.X86;

namespace Mmu86.Loaders.Processes;

/// <summary>What a Linux process is started with.</summary>
public sealed record LinuxProcessOptions
{
    /// <summary>argv: the name of the program first.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>envp, each as NAME=VALUE.</summary>
    public required IReadOnlyList<string> Environment { get; init; }

    /// <summary>AT_EXECFN: the path by which the program was started.</summary>
    public required string ExecutablePath { get; init; }

    /// <summary>Where the 16 bytes of AT_RANDOM come from.</summary>
    public required ulong Seed { get; init; }

    /// <summary>The size of every page that the loader's tables map.</summary>
    public required PageSize GuestPage { get; init; }

    /// <summary>AT_HWCAP: EDX of CPUID leaf 1.</summary>
    public required uint HardwareCapabilities { get; init; }
}
