namespace Mmu86.TestKit.HostCpu;

/// <summary>What an instruction leaves undefined.</summary>
/// <param name="Flags">Bits of RFLAGS.</param>
/// <param name="Destination">How much of the destination.</param>
public readonly record struct UndefinedState(ulong Flags, UndefinedDestination Destination)
{
    /// <summary>Both taken together.</summary>
    public UndefinedState With(UndefinedState other) =>
        new(Flags | other.Flags, (UndefinedDestination)Math.Max((int)Destination, (int)other.Destination));
}
