namespace Mmu86.Devices;

/// <summary>A message on its way to local APICs. SDM 3, "Issuing Interprocessor Interrupts".</summary>
/// <param name="Vector">The vector, or the page of a start-up.</param>
/// <param name="Mode">What it asks.</param>
/// <param name="Destination">An APIC id or a logical destination.</param>
/// <param name="IsLogical">Which of the two.</param>
/// <param name="IsLevel">Level-triggered: its end is told to the I/O APIC.</param>
public readonly record struct ApicMessage(byte Vector, ApicDeliveryMode Mode, uint Destination, bool IsLogical, bool IsLevel);
