using Mmu86.Hypervisor.Frames;
using Mmu86.Memory;

namespace Mmu86.Hypervisor;

/// <summary>The emulated host that virtual machines share: its RAM and whose each frame is.</summary>
public sealed class VirtualHost : IDisposable
{
    private ushort _lastOwner;

    /// <summary>Makes a host without machines.</summary>
    /// <param name="memory">Its RAM, of which nothing is used yet. Disposed with the host.</param>
    /// <param name="options">How it treats frames.</param>
    public VirtualHost(HostMemory memory, VirtualHostOptions options)
    {
        Memory = memory;
        Frames = new HostFrameAllocator(memory, options.Scrubber, options.AuditsIsolation ? new FrameAudit(memory) : null);
    }

    /// <summary>The whole RAM. Machines see it through views of their own.</summary>
    public HostMemory Memory { get; }

    /// <summary>Who has which frame.</summary>
    public HostFrameAllocator Frames { get; }

    /// <inheritdoc/>
    public void Dispose() => Memory.Dispose();

    /// <summary>The last identity that a machine got.</summary>
    internal ushort LastOwner
    {
        get => _lastOwner;
        set => _lastOwner = value;
    }

    /// <summary>The next machine's identity: owner of its frames, and its VPID. Never one that another machine of this host had.</summary>
    internal ushort NewOwner() => _lastOwner < HostFrameAllocator.SharedOwner - 1
        ? ++_lastOwner
        : throw new OverflowException("The host has had 65534 machines; identities are never used again.");
}
