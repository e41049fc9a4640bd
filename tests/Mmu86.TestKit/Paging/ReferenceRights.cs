using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.TestKit.Paging;

/// <summary>SDM 3, "Determination of Access Rights" and "Protection Keys", literally.</summary>
internal static class ReferenceRights
{
    /// <summary>User-mode accesses (R02, R14).</summary>
    public static bool UserMayAccess(AccessKind kind, bool userAddress, bool writable, bool executeDisabled) => kind switch
    {
        AccessKind.Read => userAddress,
        AccessKind.Write => userAddress && writable,
        AccessKind.Fetch => userAddress && !executeDisabled,
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>Supervisor-mode accesses (R02 to R05).</summary>
    public static bool SupervisorMayAccess(
        in PagingContext context, AccessKind kind, AccessMode mode, bool userAddress, bool writable, bool executeDisabled)
    {
        bool smap = (context.Cr4 & Cr4.Smap) != 0;
        bool smep = (context.Cr4 & Cr4.Smep) != 0;
        bool writeProtect = (context.Cr0 & Cr0.WriteProtect) != 0;

        // R04: with SMAP, data at a user-mode address only for an explicit access with AC=1.
        bool dataAllowed = !userAddress || !smap || mode == AccessMode.SupervisorWithAc;
        return kind switch
        {
            AccessKind.Read => dataAllowed,
            AccessKind.Write => dataAllowed && (writable || !writeProtect),
            AccessKind.Fetch => !executeDisabled && !(smep && userAddress),
            _ => throw new ArgumentOutOfRangeException(nameof(kind)),
        };
    }

    /// <summary>Whether the protection key of an address denies an access (R07, R08, F03). In IA-32e mode only.</summary>
    public static bool KeyDenies(in PagingContext context, AccessKind kind, AccessMode mode, bool userAddress, int key)
    {
        if (kind == AccessKind.Fetch)
            return false;
        bool write = kind == AccessKind.Write;
        bool writeProtect = (context.Cr0 & Cr0.WriteProtect) != 0;
        if (userAddress)
        {
            if ((context.Cr4 & Cr4.ProtectionKeyEnable) == 0)
                return false;
            bool accessDisable = (context.Pkru & (1u << (2 * key))) != 0;
            bool writeDisable = (context.Pkru & (1u << ((2 * key) + 1))) != 0;
            return accessDisable || (writeDisable && write && (mode == AccessMode.User || writeProtect));
        }

        if ((context.Cr4 & Cr4.ProtectionKeySupervisor) == 0)
            return false;
        bool supervisorAccessDisable = (context.Pkrs & (1u << (2 * key))) != 0;
        bool supervisorWriteDisable = (context.Pkrs & (1u << ((2 * key) + 1))) != 0;
        return supervisorAccessDisable || (supervisorWriteDisable && write && writeProtect);
    }
}
