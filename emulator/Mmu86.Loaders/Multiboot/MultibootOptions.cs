namespace Mmu86.Loaders.Multiboot;

/// <summary>What goes with a multiboot kernel.</summary>
public sealed record MultibootOptions
{
    /// <summary>The command line: the kernel's name and its arguments, separated by spaces.</summary>
    public required string CommandLine { get; init; }

    /// <summary>Modules, in order.</summary>
    public IReadOnlyList<MultibootModule> Modules { get; init; } = [];
}
