using Mmu86.X86;

namespace Mmu86.Hypervisor;

/// <summary>A frame of a guest and the frame of the host that it has.</summary>
/// <param name="Guest">As the guest numbers it.</param>
/// <param name="Host">As the host does.</param>
public readonly record struct ResidentFrame(GuestFrameNumber Guest, HostFrameNumber Host);
