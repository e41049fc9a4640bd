using System.Runtime.CompilerServices;
using Mmu86.X86;

namespace Mmu86.Paging;

/// <summary>The one predicate for access rights, asked of TLB entries and of finished walks alike.</summary>
/// <remarks>
/// SDM 3, "Determination of Access Rights" and "EPT Violations". The answers for every combination of access and cached rights are
/// computed when a control bit changes; an access then costs one byte read. WP, SMEP, SMAP, NXE and AC act at each access on
/// cached rights, so changing them invalidates nothing. Protection keys have too many combinations for that: where a key register denies
/// anything, the byte of an access that is permitted but for keys says that the key must be asked.
/// </remarks>
internal sealed unsafe class AccessRights
{
    /// <summary>The access is permitted.</summary>
    public const byte Allowed = 0;

    /// <summary>The rights deny the access.</summary>
    public const byte Denied = 1;

    /// <summary>The rights permit the write, but the entry's dirty flag is clear.</summary>
    public const byte NotDirty = 2;

    /// <summary>The rights permit the access if its protection key does. Only <see cref="Verdicts"/> has it, never <see cref="Judge"/>.</summary>
    public const byte AskKey = 3;

    /// <summary>How many classes of access there are.</summary>
    public const int Classes = 12;

    private const int Combinations = 128;

    private readonly byte* _verdicts;
    private Controls _controls = (Controls)0xFF;
    private uint _pkru;
    private uint _pkrs;

    /// <summary>Makes a predicate that waits for its first <see cref="Prepare"/>.</summary>
    public AccessRights(Arena arena) => _verdicts = arena.Allocate<byte>(Combinations * Classes);

    [Flags]
    private enum Controls : byte
    {
        None = 0,
        Paging = 1,
        WriteProtect = 2,
        Smep = 4,
        Smap = 8,
        NoExecute = 16,

        // Keys are on and deny something, at user-mode addresses or at supervisor-mode addresses.
        UserKeys = 32,
        SupervisorKeys = 64,
    }

    /// <summary>Kind and mode of an access as one index.</summary>
    public static int Class(AccessKind kind, AccessMode mode) => ((int)kind << 2) | (int)mode;

    /// <summary>The verdicts, one byte each, at <see cref="Index"/>. Valid as long as the arena.</summary>
    public byte* Verdicts => _verdicts;

    /// <summary>Where the verdict on an access is, by its class and the rights (bits 6:0 of a TLB entry).</summary>
    public static uint Index(int accessClass, ulong rights) => ((uint)accessClass * Combinations) + (uint)(rights & (Combinations - 1));

    /// <summary>The verdict on an access by its class and a TLB entry's word, of which the rights and the protection key count.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public byte Judge(int accessClass, ulong rights)
    {
        byte verdict = _verdicts[Index(accessClass, rights)];
        return verdict != AskKey ? verdict : JudgeByKey(accessClass, rights);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private byte JudgeByKey(int accessClass, ulong rights)
    {
        if (KeyDenies(accessClass, rights))
            return Denied;
        return KindOf(accessClass) == AccessKind.Write && (rights & TlbEntry.Dirty) == 0 ? NotDirty : Allowed;
    }

    /// <summary>Whether the protection key in a TLB entry's word denies an access, whatever else does. SDM 3, "Protection Keys".</summary>
    public bool KeyDenies(int accessClass, ulong entry)
    {
        AccessKind kind = KindOf(accessClass);
        bool isUserAddress = (entry & (ulong)TranslationRights.User) != 0;
        if (kind == AccessKind.Fetch || (_controls & (isUserAddress ? Controls.UserKeys : Controls.SupervisorKeys)) == 0)
            return false;
        uint denials = (isUserAddress ? _pkru : _pkrs) >> (2 * TlbEntry.Key(entry));
        const uint AccessDisable = 1;
        const uint WriteDisable = 2;
        if ((denials & AccessDisable) != 0)
            return true;
        bool isUserWrite = isUserAddress && (AccessMode)(accessClass & 3) == AccessMode.User;
        return kind == AccessKind.Write && (denials & WriteDisable) != 0 && (isUserWrite || (_controls & Controls.WriteProtect) != 0);
    }

    private static AccessKind KindOf(int accessClass) => (AccessKind)(accessClass >> 2);

    /// <summary>Computes the verdicts for a context.</summary>
    public void Prepare(in PagingContext context)
    {
        Controls controls = (context.IsPaging ? Controls.Paging : 0)
            | ((context.Cr0 & Cr0.WriteProtect) != 0 ? Controls.WriteProtect : 0)
            | ((context.Cr4 & Cr4.Smep) != 0 ? Controls.Smep : 0)
            | ((context.Cr4 & Cr4.Smap) != 0 ? Controls.Smap : 0)
            | ((context.Efer & Efer.NoExecuteEnable) != 0 ? Controls.NoExecute : 0);
        if (context.Mode >= GuestPagingMode.FourLevel)
        {
            controls |= ((context.Cr4 & Cr4.ProtectionKeyEnable) != 0 && context.Pkru != 0 ? Controls.UserKeys : 0)
                | ((context.Cr4 & Cr4.ProtectionKeySupervisor) != 0 && context.Pkrs != 0 ? Controls.SupervisorKeys : 0);
        }

        _pkru = context.Pkru;
        _pkrs = context.Pkrs;
        if (controls == _controls)
            return;
        _controls = controls;
        for (int kind = 0; kind <= (int)AccessKind.Fetch; kind++)
        {
            for (int mode = 0; mode <= (int)AccessMode.Implicit; mode++)
            {
                byte* verdicts = _verdicts + (Class((AccessKind)kind, (AccessMode)mode) * Combinations);
                for (int rights = 0; rights < Combinations; rights++)
                    verdicts[rights] = Verdict(controls, (AccessKind)kind, (AccessMode)mode, (TranslationRights)rights);
            }
        }
    }

    private static byte Verdict(Controls controls, AccessKind kind, AccessMode mode, TranslationRights rights)
    {
        if (!GuestPermits(controls, kind, mode, rights) || !EptPermits(kind, rights))
            return Denied;
        Controls keys = (rights & TranslationRights.User) != 0 ? Controls.UserKeys : Controls.SupervisorKeys;
        if (kind != AccessKind.Fetch && (controls & keys) != 0)
            return AskKey;
        return kind == AccessKind.Write && (rights & TranslationRights.Dirty) == 0 ? NotDirty : Allowed;
    }

    private static bool GuestPermits(Controls controls, AccessKind kind, AccessMode mode, TranslationRights rights)
    {
        if ((controls & Controls.Paging) == 0)
            return true;
        bool isUserAddress = (rights & TranslationRights.User) != 0;
        bool isUserAccess = mode == AccessMode.User;
        if (isUserAccess && !isUserAddress)
            return false;
        if (kind == AccessKind.Fetch)
        {
            // A cached XD=1 counts only while NXE=1.
            bool isExecutable = (rights & TranslationRights.Executable) != 0 || (controls & Controls.NoExecute) == 0;
            return isExecutable && (isUserAccess || !isUserAddress || (controls & Controls.Smep) == 0);
        }

        if (!isUserAccess && isUserAddress && (controls & Controls.Smap) != 0 && mode != AccessMode.SupervisorWithAc)
            return false;
        return kind == AccessKind.Read
            || (rights & TranslationRights.Writable) != 0
            || (!isUserAccess && (controls & Controls.WriteProtect) == 0);
    }

    private static bool EptPermits(AccessKind kind, TranslationRights rights) => kind switch
    {
        AccessKind.Read => (rights & TranslationRights.EptRead) != 0,
        AccessKind.Write => (rights & TranslationRights.EptWrite) != 0,
        _ => (rights & TranslationRights.EptExecute) != 0,
    };
}
