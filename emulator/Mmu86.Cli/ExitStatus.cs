namespace Mmu86.Cli;

/// <summary>Exit statuses of Mmu86 itself. A guest's own status may equal one of these: the line <c>mmu86: ...</c> tells them apart.</summary>
internal static class ExitStatus
{
    public const int Success = 0;

    /// <summary>Wrong usage.</summary>
    public const int Usage = 64;

    /// <summary>A missing, unreadable or bad input file, or the name of a guest that there is not.</summary>
    public const int BadInput = 65;

    /// <summary>Something that Mmu86 does not have yet or that is not available here.</summary>
    public const int Unavailable = 69;

    /// <summary>A mistake of ours.</summary>
    public const int Internal = 70;

    /// <summary>A file could not be written.</summary>
    public const int InputOutput = 74;

    /// <summary>A limit was reached.</summary>
    public const int Limit = 75;
}
