namespace Mmu86.Paging;

/// <summary>Which levels of a machine are those of another machine that sees the same stream.</summary>
public enum SharedLevels
{
    /// <summary>None.</summary>
    None,

    /// <summary>Both first levels.</summary>
    First,

    /// <summary>Both levels: only what walks use differs.</summary>
    Both,
}

/// <summary>One machine that is asked what a recorded one was asked.</summary>
/// <param name="Configuration">The machine.</param>
/// <param name="Front">The position of the machine whose levels it shares: one that shares none itself. Its own position where it shares none.</param>
/// <param name="Shared">Which levels it shares. Shared levels are simulated once, in the front; this machine sees what they do not answer. Right only where
/// nothing below them takes entries out of them or puts any in, and where each lookup but the first of a run is their hit.</param>
public sealed record ReplayMember(MmuConfiguration Configuration, int Front, SharedLevels Shared);
