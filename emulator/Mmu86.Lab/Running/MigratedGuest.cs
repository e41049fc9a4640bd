using Mmu86.Hypervisor;
using Mmu86.Hypervisor.Migration;
using Mmu86.Memory;

namespace Mmu86.Lab.Running;

/// <summary>A guest machine as migration sees it. Translation caches stay where they are: at the other end they are empty.</summary>
/// <param name="machine">With nested paging.</param>
public sealed class MigratedGuest(GuestMachine machine) : IMigratedMachine
{
    /// <inheritdoc/>
    public GuestMemoryManager Memory => machine.Virtual!.Memory;

    /// <inheritdoc/>
    public IReadOnlyList<StateSection> SaveState()
    {
        var writer = new StateWriter(machine.Addresses);
        machine.SaveState(writer);
        return writer.Sections;
    }

    /// <inheritdoc/>
    public void LoadState(IReadOnlyList<StateSection> sections) => machine.LoadStateElsewhere(new StateReader(sections, machine.Addresses));
}
