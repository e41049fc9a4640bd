using Mmu86.Loaders.Processes;
using Mmu86.X86;

namespace Mmu86.Lab.Personality;

/// <summary>What a personality needs of the machine that runs its process.</summary>
public interface IProcessMachine
{
    /// <summary>The linear space of the process.</summary>
    ProcessAddressSpace AddressSpace { get; }

    /// <summary>The guest's clock in nanoseconds since its first instruction.</summary>
    ulong VirtualNanoseconds { get; }

    /// <summary>The base of FS.</summary>
    ulong FsBase { get; set; }

    /// <summary>The base of GS.</summary>
    ulong GsBase { get; set; }

    /// <summary>Copies bytes out of the process, as a user-mode load would see them. Leaves no trace in TLBs and statistics.</summary>
    /// <param name="address">Any address.</param>
    /// <param name="destination">Filled wholly or, where the result is false, with anything. At most one 4 KiB page is crossed by no call of ours.</param>
    /// <returns>False where a user-mode load of any of the bytes would fault.</returns>
    bool TryRead(LinearAddress address, Span<byte> destination);

    /// <summary>Copies bytes into the process, as a user-mode store would put them. Leaves no trace in TLBs and statistics.</summary>
    /// <param name="address">Any address.</param>
    /// <param name="source">The bytes; they do not cross a 4 KiB page.</param>
    /// <returns>False where a user-mode store to any of the bytes would fault; nothing was written then.</returns>
    bool TryWrite(LinearAddress address, ReadOnlySpan<byte> source);
}
