namespace Mmu86.Tests.Hypervisor.HostSoak;

/// <summary>What a run of a <see cref="HostCase"/> left behind.</summary>
/// <param name="Log">Everything at every barrier.</param>
/// <param name="Machines">What became of each machine.</param>
/// <param name="SwappedIn">Pages that came back from swap.</param>
/// <param name="Merged">Pages that became one with another.</param>
/// <param name="Ballooned">Pages that balloons took.</param>
/// <param name="Deflated">Pages that balloons gave back.</param>
/// <param name="Checks">Barriers that were looked at.</param>
internal sealed record HostCaseResult(string Log, IReadOnlyList<MachineResult> Machines, ulong SwappedIn, ulong Merged, ulong Ballooned, ulong Deflated, int Checks);

/// <summary>What became of a machine.</summary>
/// <param name="Exit">Kind, status and detail.</param>
/// <param name="Output">What it printed.</param>
/// <param name="Losses">Reads of its pages that failed, and pages that came back wrong.</param>
/// <param name="Frames">The most frames that it had, tables included.</param>
internal sealed record MachineResult(string Exit, string Output, ulong Losses, ulong Frames);
