using System.Diagnostics;
using Mmu86.Hypervisor.Frames;
using Mmu86.X86;

namespace Mmu86.Hypervisor.Sharing;

/// <summary>Proves that what is said of shared frames is so: every count is the number of entries that lead there, and none of them may write.</summary>
public static class SharingVerifier
{
    /// <summary>Looks at every entry of every machine. While none runs.</summary>
    /// <param name="host">The host.</param>
    /// <param name="machines">All of its machines.</param>
    /// <param name="sharing">Who shares; null where only the tables are to be looked at.</param>
    /// <exception cref="UnreachableException">Something is not so.</exception>
    /// <exception cref="FrameIsolationException">A shared frame was written to; found where the host has an audit.</exception>
    public static void Verify(VirtualHost host, IEnumerable<VirtualMachine> machines, PageSharing? sharing)
    {
        Dictionary<HostFrameNumber, ulong> found = [];
        foreach (VirtualMachine machine in machines)
        {
            ulong shared = 0;
            foreach (ResidentFrame frame in machine.Memory.SharedLeaves())
            {
                shared++;
                found[frame.Host] = found.GetValueOrDefault(frame.Host) + 1;
                Require(!machine.Memory.MayWrite(frame.Guest), $"owner {machine.Vpid} may write to shared frame {frame.Host.Address}");
                Require(host.Frames.OwnerOf(frame.Host) == HostFrameAllocator.SharedOwner, $"shared frame {frame.Host.Address} is owner {host.Frames.OwnerOf(frame.Host)}'s");
            }

            Require(shared == machine.Memory.SharedFrames, $"owner {machine.Vpid} counts {machine.Memory.SharedFrames} shared frames and has {shared}");
            foreach (ResidentFrame frame in machine.Memory.Residents())
                Require(host.Frames.OwnerOf(frame.Host) == machine.Vpid, $"frame {frame.Host.Address} of owner {machine.Vpid} is owner {host.Frames.OwnerOf(frame.Host)}'s");
        }

        ulong entries = 0;
        foreach ((HostFrameNumber frame, ulong count) in found)
        {
            entries += count;
            Require(host.Frames.SharersOf(frame) == count, $"frame {frame.Address} has {host.Frames.SharersOf(frame)} sharers and {count} entries lead to it");
            Require(sharing is null || sharing.Knows(frame), $"shared frame {frame.Address} is not found by its content");
            host.Frames.Audit?.RequireUnchanged(frame);
        }

        Require(host.Frames.SharedFrames == (ulong)found.Count, $"the host counts {host.Frames.SharedFrames} shared frames and machines have {found.Count}");
        Require(host.Frames.SharedEntries == entries, $"the host counts {host.Frames.SharedEntries} entries of shared frames and machines have {entries}");
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
            throw new UnreachableException($"Sharing is wrong: {otherwise}.");
    }
}
