using System.Globalization;
using System.Text;

namespace Mmu86.GuestPrograms;

/// <summary>What <c>kernel-page-matrix</c> must print: the manual's rules, written down case by case and without any cache.</summary>
/// <remarks>SDM 3, "Access Rights", "Page-Fault Exceptions" and "Accessed and Dirty Flags". Shares with the kernel what the cases are, no rule.</remarks>
internal sealed class PageMatrixReference(ulong stride)
{
    private const ulong Protection = 1, Write = 2, User = 4, Reserved = 8, Fetch = 16;

    /// <summary>An address of a table with bit 13 set, as the kernel's tables have it.</summary>
    private const ulong Table = 1 << 13;

    /// <summary>Stands for each address bit that MAXPHYADDR reserves.</summary>
    private const ulong BeyondWidth = 1UL << 51;

    /// <summary>Bits of a large page's address that are reserved, by level. SDM 3, "4-Level Paging and 5-Level Paging".</summary>
    private static readonly ulong[] ReservedInLargePage = [0, 0x3FFF_E000, 0x001F_E000, 0];

    private readonly ulong[] _written = new ulong[PageMatrixTables.Levels];
    private readonly ulong[] _entries = new ulong[PageMatrixTables.Levels];
    private ulong _digest;

    /// <summary>A line of the output: the digest of a group under some controls.</summary>
    public sealed record Line(PageMatrixGroup Group, PageMatrixControls Controls, ulong Digest, ulong Cases);

    private readonly record struct World(PageMatrixGroup Group, PageMatrixControls Controls, bool WriteProtect)
    {
        public bool Has(PageMatrixControls control) => (Controls & control) != 0;
    }

    /// <summary>How the controls are written in a line.</summary>
    public static string Name(PageMatrixControls controls) =>
        (controls.HasFlag(PageMatrixControls.ExecuteDisable) ? " nxe" : "") +
        (controls.HasFlag(PageMatrixControls.ExecutionPrevention) ? " smep" : "") +
        (controls.HasFlag(PageMatrixControls.AccessPrevention) ? " smap" : "") + ": ";

    /// <summary>The whole output, from the lines of a processor.</summary>
    public static string Output(IEnumerable<Line> lines)
    {
        var text = new StringBuilder();
        ulong digest = PageMatrixCases.DigestStart, cases = 0;
        foreach (Line line in lines)
        {
            text.Append(CultureInfo.InvariantCulture, $"{line.Group.Name}{Name(line.Controls)}{line.Digest:x16}\n");
            digest = PageMatrixCases.Digest(digest, line.Digest);
            cases += line.Cases;
        }

        return text.Append(CultureInfo.InvariantCulture, $"digest {digest:x16} of {cases} cases\n").ToString();
    }

    /// <summary>The lines of a processor that has everything.</summary>
    public IReadOnlyList<Line> Lines() =>
    [
        .. from item in PageMatrixGroup.All.Index()
           from controls in Enumerable.Range(0, PageMatrixKernel.ControlSets)
           let line = LineOf(item.Index, item.Item, (PageMatrixControls)controls)
           where line is not null
           select line,
    ];

    private Line? LineOf(int index, PageMatrixGroup group, PageMatrixControls controls)
    {
        bool executeDisable = controls.HasFlag(PageMatrixControls.ExecuteDisable);
        ulong[] kinds = Kinds(group, executeDisable);
        if (kinds.Length == 0)
            return null;

        int flags = executeDisable ? PageMatrixCases.FlagValues : PageMatrixCases.FlagValues / 2;
        ulong count = (ulong)(flags * kinds.Length * PageMatrixCases.OtherValues * group.AccessCount * 2), cases = 0;
        ulong number = (ulong)((index * PageMatrixKernel.ControlSets) + (int)controls) % stride;
        _digest = PageMatrixCases.DigestStart;
        foreach (bool writeProtect in new[] { false, true })
        {
            for (; number < count; number += stride, cases++)
            {
                (ulong rest, ulong flag) = Math.DivRem(number, (ulong)flags);
                (rest, ulong kind) = Math.DivRem(rest, (ulong)kinds.Length);
                (rest, ulong other) = Math.DivRem(rest, PageMatrixCases.OtherValues);
                (ulong alignmentCheck, ulong access) = Math.DivRem(rest, (ulong)group.AccessCount);
                WriteEntries(group, executeDisable, PageMatrixCases.Flags((int)flag) | kinds[kind], (int)other);
                Try(new World(group, controls, writeProtect), group.FirstAccess + (int)access, alignmentCheck != 0);
            }

            number -= count;
        }

        return new Line(group, controls, _digest, cases);
    }

    private static ulong[] Kinds(PageMatrixGroup group, bool executeDisable) => group.Class switch
    {
        PageMatrixClass.Reserved when executeDisable => [.. group.ReservedBits],
        PageMatrixClass.Reserved => [.. group.ReservedBits, PageMatrixCases.ExecuteDisable],

        // The kernel has two bits there; what they do is the same.
        PageMatrixClass.Width => [BeyondWidth, BeyondWidth],
        _ => [0],
    };

    private void WriteEntries(PageMatrixGroup group, bool executeDisable, ulong varied, int other)
    {
        for (int level = 0; level < _written.Length; level++)
        {
            _written[level] = level > group.Leaf ? 0
                : level < group.Leaf ? Table | PagingFlags.User
                : PagingFlags.User | (level < _written.Length - 1 ? PagingFlags.PageSize : 0);
        }

        _written[group.Varied] = (_written[group.Varied] & ~PagingFlags.User) | varied;
        _written[group.Other] &= ~PageMatrixCases.OtherCleared(other, executeDisable);
        _written[group.Other] |= PageMatrixCases.OtherSet(other, executeDisable);
        _written.CopyTo(_entries, 0);
    }

    private void Try(World world, PageMatrixAccess first, bool alignmentCheck)
    {
        Access(world, first, alignmentCheck);
        Access(world, first, alignmentCheck);
        Access(world, PageMatrixCases.SecondAccess[(int)first], alignmentCheck);
        Access(world, first, alignmentCheck);
    }

    private void Access(World world, PageMatrixAccess access, bool alignmentCheck)
    {
        bool isWrite = access is PageMatrixAccess.SupervisorWrite or PageMatrixAccess.UserWrite;
        bool isRead = access is PageMatrixAccess.SupervisorRead or PageMatrixAccess.UserRead;
        bool isFetch = access is PageMatrixAccess.SupervisorFetch or PageMatrixAccess.UserFetch;
        bool isImplicit = access is PageMatrixAccess.SupervisorSegmentLoad or PageMatrixAccess.UserSegmentLoad;
        bool isUser = access is PageMatrixAccess.UserRead or PageMatrixAccess.UserWrite or PageMatrixAccess.UserFetch;
        ulong? error = Fault(world, isWrite, isFetch, isUser, isExplicit: !isImplicit, alignmentCheck);
        ulong offset = isFetch ? PageMatrixCases.CodeOffset : isImplicit ? PageMatrixCases.DescriptorOffset : (ulong)PageMatrixCases.DataOffset;
        if (error is null)
            SetFlags(world.Group, isWrite);

        uint read = error is null && isRead ? PageMatrixCases.WordBefore : 0;
        uint word = error is null && isWrite ? PageMatrixCases.WordWritten : PageMatrixCases.WordBefore;
        _digest = PageMatrixCases.Digest(_digest, error is ulong code ? code | (offset << 32) | (1UL << PageMatrixCases.FaultBit) : 0);
        _digest = PageMatrixCases.Digest(_digest, read | ((ulong)word << 32));
        _digest = PageMatrixCases.Digest(_digest, Changes(world.Group, faulted: error is not null));
    }

    /// <summary>The error code of the fault, or null where there is none.</summary>
    private ulong? Fault(World world, bool isWrite, bool isFetch, bool isUser, bool isExplicit, bool alignmentCheck)
    {
        bool reportsFetch = world.Has(PageMatrixControls.ExecuteDisable) || world.Has(PageMatrixControls.ExecutionPrevention);
        ulong error = (isWrite ? Write : 0) | (isUser ? User : 0) | (isFetch && reportsFetch ? Fetch : 0);
        ulong all = PagingFlags.User, executeDisable = 0;
        for (int level = 0; level <= world.Group.Leaf; level++)
        {
            ulong entry = _entries[level];
            if ((entry & PagingFlags.Present) == 0)
                return error;
            if (HasReservedBit(world, level, entry))
                return error | Protection | Reserved;
            all &= entry;
            executeDisable |= entry & PageMatrixCases.ExecuteDisable;
        }

        bool userPage = (all & PagingFlags.UserSupervisor) != 0, writable = (all & PagingFlags.ReadWrite) != 0, executable = executeDisable == 0;
        bool allowed = isUser
            ? userPage && (!isWrite || writable) && (!isFetch || executable)
            : isFetch
                ? executable && !(userPage && world.Has(PageMatrixControls.ExecutionPrevention))
                : (!isWrite || writable || !world.WriteProtect)
                  && !(userPage && world.Has(PageMatrixControls.AccessPrevention) && !(isExplicit && alignmentCheck));
        return allowed ? null : error | Protection;
    }

    private static bool HasReservedBit(World world, int level, ulong entry)
    {
        bool large = level < PageMatrixTables.Levels - 1 && (entry & PagingFlags.PageSize) != 0;
        return (entry & BeyondWidth) != 0
            || ((entry & PageMatrixCases.ExecuteDisable) != 0 && !world.Has(PageMatrixControls.ExecuteDisable))
            || (large && (level == 0 || (entry & ReservedInLargePage[level]) != 0));
    }

    private void SetFlags(PageMatrixGroup group, bool isWrite)
    {
        for (int level = 0; level <= group.Leaf; level++)
            _entries[level] |= PagingFlags.Accessed;
        if (isWrite)
            _entries[group.Leaf] |= PagingFlags.Dirty;
    }

    /// <summary>What differs from the entries as written. After a fault the accessed flags of upper entries are left out: the manual leaves them open.</summary>
    private ulong Changes(PageMatrixGroup group, bool faulted)
    {
        ulong changes = 0;
        for (int level = 0; level < _entries.Length; level++)
        {
            ulong change = _entries[level] ^ _written[level];
            if (faulted && level != group.Leaf)
                change &= ~PagingFlags.Accessed;
            changes ^= ulong.RotateLeft(change, 16 * level);
        }

        return changes;
    }
}
