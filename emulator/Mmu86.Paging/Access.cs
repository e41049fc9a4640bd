namespace Mmu86.Paging;

/// <summary>What an access does. A read-modify-write is a write from the start. SDM 3, "Determination of Access Rights".</summary>
public enum AccessKind : byte
{
    Read = 0,
    Write = 1,
    Fetch = 2,
}

/// <summary>On whose behalf an access is made. The first three have a bank of the translation filter each.</summary>
public enum AccessMode : byte
{
    /// <summary>Explicit, CPL 3.</summary>
    User = 0,

    /// <summary>Explicit, CPL below 3, RFLAGS.AC=0.</summary>
    Supervisor = 1,

    /// <summary>Explicit, CPL below 3, RFLAGS.AC=1: SMAP does not deny it.</summary>
    SupervisorWithAc = 2,

    /// <summary>Implicit supervisor access, whatever CPL and AC: descriptor tables, TSS, event delivery.</summary>
    Implicit = 3,
}
