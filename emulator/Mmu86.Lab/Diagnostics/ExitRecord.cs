namespace Mmu86.Lab.Diagnostics;

/// <summary>A VM exit of a translation.</summary>
public sealed record ExitRecord
{
    /// <summary><c>eptViolation</c> or <c>eptMisconfiguration</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>The guest-physical address that EPT refused.</summary>
    public required string GuestPhysical { get; init; }

    /// <summary>The exit qualification of a violation.</summary>
    public string? Qualification { get; init; }

    /// <summary>In words.</summary>
    public required string Detail { get; init; }
}
