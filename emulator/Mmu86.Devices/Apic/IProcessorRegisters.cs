namespace Mmu86.Devices;

/// <summary>What a local APIC shares with its processor.</summary>
public interface IProcessorRegisters
{
    /// <summary>The task-priority register, whose upper four bits are CR8.</summary>
    byte TaskPriority { get; set; }

    /// <summary>What the processor's time-stamp counter is ahead of the virtual clock.</summary>
    ulong TimeStampOffset { get; }
}
