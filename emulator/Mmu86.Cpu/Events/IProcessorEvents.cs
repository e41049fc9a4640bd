namespace Mmu86.Cpu;

/// <summary>What a virtual CPU asks of its interrupt controller and of the machine's timers. One for each CPU.</summary>
/// <remarks>Time is that of <see cref="Vcpu.VirtualTime"/>. Whatever changes an answer while the CPU runs calls <see cref="Vcpu.NoteEvents"/>.</remarks>
public interface IProcessorEvents
{
    /// <summary>When a timer may ask for an interrupt next; <see cref="ulong.MaxValue"/> where none will.</summary>
    ulong NextDeadline { get; }

    /// <summary>Whether an interrupt waits that the CPU takes as soon as RFLAGS.IF lets it: priorities allow it.</summary>
    bool HasInterrupt { get; }

    /// <summary>Whether an NMI waits.</summary>
    bool HasNonMaskableInterrupt { get; }

    /// <summary>Brings timers to the present moment.</summary>
    void Advance();

    /// <summary>The CPU takes the interrupt.</summary>
    /// <returns>Its vector.</returns>
    byte AcknowledgeInterrupt();

    /// <summary>The CPU takes the NMI.</summary>
    void AcknowledgeNonMaskableInterrupt();

    /// <summary>Whether a model-specific register is a device's.</summary>
    bool OwnsRegister(uint number);

    /// <summary>RDMSR of a register that a device owns.</summary>
    /// <returns>False for #GP(0).</returns>
    bool TryReadRegister(uint number, out ulong value);

    /// <summary>WRMSR of a register that a device owns.</summary>
    /// <returns>False for #GP(0).</returns>
    bool TryWriteRegister(uint number, ulong value);

    /// <summary>WRMSR of IA32_APIC_BASE whose reserved bits are clear.</summary>
    /// <param name="value">What is written.</param>
    /// <returns>False for #GP(0): a transition that does not exist.</returns>
    bool TryWriteApicBase(ulong value);
}
