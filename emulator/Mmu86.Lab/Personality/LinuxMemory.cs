using Mmu86.Loaders;
using Mmu86.Loaders.Processes;
using Mmu86.X86;

namespace Mmu86.Lab.Personality;

/// <summary>brk, mmap, munmap and mprotect: arguments of Linux to changes of a <see cref="ProcessAddressSpace"/>.</summary>
internal static class LinuxMemory
{
    private const ulong ProtectRead = 1;
    private const ulong ProtectWrite = 2;
    private const ulong ProtectExecute = 4;
    private const ulong ProtectAll = ProtectRead | ProtectWrite | ProtectExecute;

    private const ulong MapTypeMask = 0xF;
    private const ulong MapShared = 1;
    private const ulong MapPrivate = 2;
    private const ulong MapFixed = 0x10;
    private const ulong MapAnonymous = 0x20;
    private const ulong MapGrowsDown = 0x100;
    private const ulong MapHugePages = 0x4_0000;
    private const ulong MapFixedNoReplace = 0x10_0000;

    /// <summary>brk: the break after the call, which is the old one where the new one cannot be had.</summary>
    public static long Break(ulong wanted, ProcessAddressSpace space) => (long)space.SetBreak(new LinearAddress(wanted)).Value;

    /// <summary>mmap of anonymous memory. Shared and private are the same for a process that is alone.</summary>
    public static long Map(in SystemCall call, LinuxFiles files, ProcessAddressSpace space)
    {
        ulong address = call.Argument0;
        ulong length = call.Argument1;
        ulong flags = call.Argument3;
        if ((flags & MapTypeMask) is not (MapShared or MapPrivate))
            return Fail(Errno.Invalid);
        if ((flags & MapAnonymous) == 0)
            return Fail(files.IsOpen(call.Argument4) ? Errno.NoDevice : Errno.BadDescriptor);
        // Nobody reserved huge pages, and a stack that grows would need a page fault handler.
        if ((flags & (MapHugePages | MapGrowsDown)) != 0)
            return Fail(length == 0 ? Errno.Invalid : Errno.NoMemory);

        PageRights rights = RightsOf(call.Argument2);
        LinearAddress start;
        AddressSpaceResult result;
        if ((flags & (MapFixed | MapFixedNoReplace)) != 0)
        {
            start = new LinearAddress(address);
            if ((flags & MapFixedNoReplace) != 0 && IsInProcess(address, length) && !space.IsFree(start, length))
                return Fail(Errno.Exists);
            result = space.MapFixed(start, length, rights);
        }
        else
        {
            result = space.MapAnywhere(length, rights, new LinearAddress(address), out start);
        }

        return result == AddressSpaceResult.Done ? (long)start.Value : Fail(ErrorOf(result));
    }

    /// <summary>munmap.</summary>
    public static long Unmap(ulong address, ulong length, ProcessAddressSpace space) => Result(space.Unmap(new LinearAddress(address), length));

    /// <summary>mprotect.</summary>
    public static long Protect(ulong address, ulong length, ulong protection, ProcessAddressSpace space) =>
        (protection & ~ProtectAll) != 0
            ? Fail(Errno.Invalid)
            : Result(space.Protect(new LinearAddress(address), length, RightsOf(protection)));

    private static PageRights RightsOf(ulong protection) =>
        ((protection & ProtectRead) != 0 ? PageRights.Read : 0)
        | ((protection & ProtectWrite) != 0 ? PageRights.Write : 0)
        | ((protection & ProtectExecute) != 0 ? PageRights.Execute : 0);

    private static bool IsInProcess(ulong address, ulong length) =>
        length <= ProcessLayout.StackEnd.Value && address <= ProcessLayout.StackEnd.Value - length;

    private static long Result(AddressSpaceResult result) => result == AddressSpaceResult.Done ? 0 : Fail(ErrorOf(result));

    private static Errno ErrorOf(AddressSpaceResult result) => result == AddressSpaceResult.BadRange ? Errno.Invalid : Errno.NoMemory;

    private static long Fail(Errno error) => -(long)error;
}
