namespace Mmu86.Lab;

/// <summary>The world in which a guest program runs.</summary>
public enum PersonalityKind
{
    /// <summary>Ring 3; system calls are answered by Mmu86.</summary>
    Linux,

    /// <summary>Ring 0 with serial output and debug exit; nothing is answered but the devices.</summary>
    Bare,
}
