namespace Mmu86.Cpu;

/// <summary>What switches tasks: it decides about busy bits, back link and NT. SDM 3, "Task Switching".</summary>
internal enum TaskSwitchCause
{
    /// <summary>JMP: the old task is no longer busy.</summary>
    Jump,

    /// <summary>CALL: the new task is nested in the old one.</summary>
    Call,

    /// <summary>IRET with NT=1: back to the task that the back link names.</summary>
    Return,

    /// <summary>An exception or interrupt through a task gate: nested as a call.</summary>
    Event,
}
