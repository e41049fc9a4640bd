namespace Mmu86.Cpu;

/// <summary>What the instruction that retired last keeps from being recognised at this instruction boundary.</summary>
internal enum InterruptShadow
{
    None,

    /// <summary>STI with IF=0 before: maskable interrupts wait for one instruction. SDM 2, "STI—Set Interrupt Flag".</summary>
    SetInterrupts,

    /// <summary>
    /// MOV SS or POP SS: interrupts and debug exceptions wait for one instruction.
    /// SDM 3, "Masking Exceptions and Interrupts When Switching Stacks".
    /// </summary>
    StackSegment,
}
