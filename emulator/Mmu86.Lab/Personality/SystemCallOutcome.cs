namespace Mmu86.Lab.Personality;

/// <summary>What follows from a system call.</summary>
public readonly record struct SystemCallOutcome
{
    private SystemCallOutcome(long result, int? exitStatus)
    {
        Result = result;
        ExitStatus = exitStatus;
    }

    /// <summary>What goes to RAX: a result, or the negative of an error number.</summary>
    public long Result { get; }

    /// <summary>The exit status of the process, 0 to 255, where the call ended it; else null.</summary>
    public int? ExitStatus { get; }

    /// <summary>The process goes on.</summary>
    public static SystemCallOutcome Resume(long result) => new(result, null);

    /// <summary>The process ends.</summary>
    /// <param name="status">What it gave; the low 8 bits count.</param>
    public static SystemCallOutcome Exit(ulong status) => new(0, (int)(status & 0xFF));
}
