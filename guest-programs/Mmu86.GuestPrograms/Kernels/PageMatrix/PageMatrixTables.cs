using System.Buffers.Binary;
using System.Text;

namespace Mmu86.GuestPrograms;

/// <summary>The paging structures of the page under test and the table of groups, as the kernel finds them in memory.</summary>
internal sealed class PageMatrixTables
{
    public const int Levels = 4;

    // What a group's descriptor holds, by offset.
    public const int Bases = 0;
    public const int FaultMasks = 32;
    public const int Varied = 64;
    public const int Other = 72;
    public const int Kinds = 80;
    public const int KindCounts = 88;
    public const int FirstAccess = 104;
    public const int AccessCount = 112;
    public const int Name = 120;
    public const int NameLength = 128;
    public const int Needs = 136;
    public const int Number = 144;
    public const int DescriptorBytes = 152;

    /// <summary>What a group may need: 1 GiB pages, and address bits that MAXPHYADDR leaves reserved.</summary>
    public const int NeedsLargestPage = 1;
    public const int NeedsReservedWidth = 2;

    private const ulong TablesBytes = 16 * KernelSupport.TableBytes;

    private readonly GuestAssembler _guest;
    private readonly ulong[] _tables;

    public PageMatrixTables(GuestAssembler guest, ulong pml4)
    {
        _guest = guest;
        WidthKinds = guest.Reserve("width_kinds", 16, 8);

        // Address bit 13 of each table is set: PageMatrixGroup.ReservedBits says why.
        ulong tables = guest.Reserve("matrix_tables", TablesBytes, TablesBytes);
        _tables = [pml4, tables + 0x2000, tables + 0x6000, tables + 0xA000];
        Frame = guest.Reserve("matrix_frame", GuestPageSize.TwoMebibytes, GuestPageSize.TwoMebibytes) + 0x13_5000;
        Page = KernelSupport.Region + Frame;
        byte[] descriptors = new byte[PageMatrixGroup.All.Count * DescriptorBytes];
        for (int i = 0; i < PageMatrixGroup.All.Count; i++)
        {
            Span<byte> descriptor = descriptors.AsSpan(i * DescriptorBytes, DescriptorBytes);
            Describe(PageMatrixGroup.All[i], descriptor);
            Write(descriptor, Number, (ulong)i);
        }

        Descriptors = guest.AddData("groups", descriptors, 8);
    }

    /// <summary>The frame under test.</summary>
    public ulong Frame { get; }

    /// <summary>The page under test. Its low 30 bits are the frame's, so that pages of every size lead there.</summary>
    public ulong Page { get; }

    /// <summary>The descriptors of all groups.</summary>
    public ulong Descriptors { get; }

    /// <summary>Two words for the kernel to fill: the address bits that its processor reserves.</summary>
    public ulong WidthKinds { get; }

    /// <summary>Where the entry of a level is that translates the page.</summary>
    public ulong Entry(int level) => _tables[level] + (8 * (Page >> (39 - (9 * level)) & 511));

    private void Describe(PageMatrixGroup group, Span<byte> descriptor)
    {
        for (int level = 0; level < Levels; level++)
        {
            Write(descriptor, Bases + (8 * level), Base(group, level));

            // A fault may leave the accessed flags of upper entries set or clear, and the manual does not say which.
            Write(descriptor, FaultMasks + (8 * level), level == group.Leaf ? ulong.MaxValue : ~PagingFlags.Accessed);
        }

        (ulong kinds, int withExecuteDisable, int without) = KindsOf(group);
        byte[] name = Encoding.ASCII.GetBytes(group.Name);
        Write(descriptor, Varied, (ulong)group.Varied);
        Write(descriptor, Other, (ulong)group.Other);
        Write(descriptor, Kinds, kinds);
        Write(descriptor, KindCounts, (ulong)without);
        Write(descriptor, KindCounts + 8, (ulong)withExecuteDisable);
        Write(descriptor, FirstAccess, (ulong)group.FirstAccess);
        Write(descriptor, AccessCount, (ulong)group.AccessCount);
        Write(descriptor, Name, _guest.AddData("", name, 1));
        Write(descriptor, NameLength, (ulong)name.Length);
        Write(descriptor, Needs, (group.Leaf == 1 ? NeedsLargestPage : 0UL) | (group.Class == PageMatrixClass.Width ? NeedsReservedWidth : 0UL));
    }

    private ulong Base(PageMatrixGroup group, int level)
    {
        if (level > group.Leaf)
            return 0;
        if (level < group.Leaf)
            return _tables[level + 1] | PagingFlags.User;
        ulong size = 1UL << (39 - (9 * level));
        return (Frame & ~(size - 1)) | PagingFlags.User | (level < Levels - 1 ? PagingFlags.PageSize : 0);
    }

    private (ulong Address, int WithExecuteDisable, int Without) KindsOf(PageMatrixGroup group)
    {
        switch (group.Class)
        {
            case PageMatrixClass.Width:
                return (WidthKinds, 2, 2);
            case PageMatrixClass.Reserved:
                ulong[] bits = [.. group.ReservedBits, PageMatrixCases.ExecuteDisable];
                return (AddWords(bits), bits.Length - 1, bits.Length);
            case PageMatrixClass.Rights:
            case PageMatrixClass.Implicit:
                return (AddWords([0]), 1, 1);
            default:
                throw new System.Diagnostics.UnreachableException();
        }
    }

    private ulong AddWords(ulong[] words)
    {
        var bytes = new byte[8 * words.Length];
        for (int i = 0; i < words.Length; i++)
            Write(bytes, 8 * i, words[i]);
        return _guest.AddData("", bytes, 8);
    }

    private static void Write(Span<byte> bytes, int offset, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(bytes[offset..], value);
}
