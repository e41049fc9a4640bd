using Mmu86.Memory;

namespace Mmu86.Hypervisor.Migration;

/// <summary>A machine at either end of a migration: what migration needs of whoever made it. It does not run during any call.</summary>
public interface IMigratedMachine
{
    /// <summary>Its guest-physical memory.</summary>
    GuestMemoryManager Memory { get; }

    /// <summary>Everything but guest memory, as sections.</summary>
    /// <exception cref="InvalidOperationException">It stands where its state cannot be taken down.</exception>
    IReadOnlyList<StateSection> SaveState();

    /// <summary>Goes on from the state of another machine. Its memory is in place.</summary>
    /// <exception cref="StateFormatException">It is the state of no such machine.</exception>
    void LoadState(IReadOnlyList<StateSection> sections);
}
