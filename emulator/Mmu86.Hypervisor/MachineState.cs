namespace Mmu86.Hypervisor;

/// <summary>Where a virtual machine is in its life.</summary>
public enum MachineState
{
    /// <summary>It may run; its virtual CPUs stand between two instructions.</summary>
    Paused,

    /// <summary>A virtual CPU is running.</summary>
    Running,

    /// <summary>It has given everything back.</summary>
    Destroyed,
}
