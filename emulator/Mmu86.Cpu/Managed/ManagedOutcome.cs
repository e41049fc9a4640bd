namespace Mmu86.Cpu;

/// <summary>How a managed instruction ended.</summary>
internal enum ManagedOutcome
{
    /// <summary>It retired; the next instruction of the block may run.</summary>
    Next,

    /// <summary>It retired; what it changed may change how following code is translated or decoded, so the block ends behind it.</summary>
    EndBlock,

    /// <summary>It retired and set RIP.</summary>
    Branch,

    /// <summary>It faulted: <see cref="FaultState.Pending"/> says how. Nothing was committed; RIP is at the instruction.</summary>
    Fault,

    /// <summary>A REP string instruction stopped between elements: registers are up to date, RIP stays, it has not retired. It goes on without a fetch.</summary>
    Repeat,

    /// <summary>As <see cref="Repeat"/>, but the instruction wrote its own bytes: it is fetched and decoded again.</summary>
    Refetch,

    /// <summary>It retired and asks for the VM exit in <see cref="Vcpu.RequestedExit"/>. RIP will be behind it.</summary>
    Exit,

    /// <summary>It did not retire and asks for the VM exit in <see cref="Vcpu.RequestedExit"/>; RIP stays at it.</summary>
    Refused,
}
