using Iced.Intel;
using Mmu86.X86;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Hypervisor.Shadow;

/// <summary>A guest kernel made at random: it changes its page tables, invalidates by the manual's rules, and writes down what each access gave.</summary>
/// <remarks>
/// <code>
/// 0x400000  4 page tables, 4 page directories, 3 PDPTs     0x500000  code
/// 0x40C000  4 PML4 tables                                  0x800000  what was seen
/// 0x410000  PDPT, directory and table of the identity map
/// 0x413000  4 PML5 tables, where there are 5 levels
/// 0x420000  8 frames of data      0x430000 IDT, GDT
/// </code>
/// Entry 0 of every PML4 table is the identity map; entries 1 and 2 lead to tables that change. Pages may be of any size, may be the tables
/// themselves, and tables may be used at several places, by several roots. Before a PCID is used, everything is invalidated that the manual allows a
/// processor to remember of it and that has changed meanwhile, and no more need be, so every processor must write down the same.
/// </remarks>
internal sealed class PagingProgram
{
    public const ulong Code = 0x50_0000;
    public const ulong MemoryBytes = 16 << 20;

    private const ulong Tables = 0x40_0000, Directories = 0x40_4000, Pointers = 0x40_8000, Roots = 0x40_C000;
    private const ulong Identity = 0x41_0000, HighRoots = 0x41_3000, Data = 0x42_0000, Idt = 0x43_0000, Gdt = 0x43_1000, Log = 0x80_0000, Stack = 0x70_0000;
    private const int RootCount = 4, PointerCount = 3, DirectoryCount = 4, TableCount = 4, DataCount = 8;
    private const int PcidCount = 3;
    private const int PointersUsed = 2, DirectoriesUsed = 4, PagesUsed = 8;
    private const int Pages = 2 * PointersUsed * DirectoriesUsed * PagesUsed;
    private const ulong DataOffset = 0xF80, CodeOffset = 0xE00;
    private const ulong Frame = 4096;
    private const byte Return = 0xC3;
    private const uint ExtendedFeatures = 0xC000_0080, SupervisorKeys = 0x6E1;

    private readonly Random _random;
    private readonly byte[] _image = new byte[0x30_0000];
    private readonly Assembler _code = new(64);
    private readonly PagingVariant _variant;
    private readonly ulong _roots;
    private readonly Dictionary<ulong, ulong> _entries = [];
    private readonly bool _hasGlobals;
    private Label _invlpgOfEveryPage;
    private Label _invpcidOfEveryPage;

    // For each PCID: whether something may be remembered of it that is not so any more, and which root it was last used with.
    private readonly bool[] _isOutdated = new bool[PcidCount];
    private readonly ulong?[] _rootOf = new ulong?[PcidCount];
    private int _pcid;
    private bool _hasPcids;
    private bool _hasKeys;

    private PagingProgram(Random random, PagingVariant variant)
    {
        _random = random;
        _variant = variant;
        _roots = variant == PagingVariant.FiveLevelsWithKeys ? HighRoots : Roots;
        _hasGlobals = variant == PagingVariant.FourLevelsWithGlobals;
    }

    /// <summary>Where the image goes.</summary>
    public const ulong LoadAddress = Tables;

    /// <summary>The root with 5 levels.</summary>
    public const ulong FiveLevelRoot = HighRoots;

    /// <summary>Makes a flat image.</summary>
    public static byte[] Make(Random random, int operations, PagingVariant variant) => new PagingProgram(random, variant).Build(operations);

    private byte[] Build(int operations)
    {
        Label pageFault = _code.CreateLabel();
        _invlpgOfEveryPage = _code.CreateLabel();
        _invpcidOfEveryPage = _code.CreateLabel();
        WriteIdentityMap();
        for (int i = 0; i < RootCount; i++)
        {
            Put(Roots + ((ulong)i * Frame), Identity | 3);
            Put(HighRoots + ((ulong)i * Frame), (Roots + ((ulong)i * Frame)) | 7);
            foreach (ulong index in new ulong[] { 1, 2 })
                Put(Roots + ((ulong)i * Frame) + (index * 8), _hasGlobals && i > 0 ? _entries[Roots + (index * 8)] : AnyEntry(level: 4));
        }

        Fill(Pointers, PointerCount, PointersUsed, level: 3);
        Fill(Directories, DirectoryCount, DirectoriesUsed, level: 2);
        Fill(Tables, TableCount, PagesUsed, level: 1);
        EmitStart();
        for (int i = 0; i < operations; i++)
            EmitAny();
        _code.xor(eax, eax);
        _code.@out(0xF4, eax);
        _code.hlt();
        _code.Label(ref pageFault);
        EmitPageFault();
        EmitInvalidationsOfEveryPage();
        using var stream = new MemoryStream();
        AssemblerResult result = _code.Assemble(new StreamCodeWriter(stream), Code, BlockEncoderOptions.ReturnNewInstructionOffsets);
        byte[] code = stream.ToArray();
        code.CopyTo(_image, (int)(Code - LoadAddress));
        WriteDescriptors(result.GetLabelRIP(pageFault));
        return _image[..((int)(Code - LoadAddress) + code.Length)];
    }

    private void EmitAny()
    {
        switch (_random.Next(100))
        {
            case < 30:
                EmitRead(null);
                break;
            case < 55:
                EmitWrite();
                break;
            case < 63:
                EmitFetch();
                break;
            case < 78:
                EmitChangeAndInvalidation();
                break;
            case < 84:
                EmitLookAtEntry();
                break;
            case < 92:
                EmitRoot();
                break;
            case < 97:
                EmitControl();
                break;
            default:
                EmitInvalidation();
                break;
        }
    }

    // The kernel's own segments and IDT, then a return at the same place of every frame that may be mapped.
    private void EmitStart()
    {
        _code.mov(rsp, Stack);
        _code.mov(rax, Gdt + 0xF00);
        _code.lgdt(__[rax]);
        _code.mov(rax, Idt + 0xF00);
        _code.lidt(__[rax]);
        EmitLoadRoot(0, 0, keeps: false);
        if (_hasGlobals)
            EmitFlip(Cr4.PageGlobalEnable);
        _code.mov(r15, Log);
        for (ulong megabytes = 0; megabytes < 8; megabytes += 2)
        {
            for (ulong page = 0; page < PagesUsed; page++)
            {
                _code.mov(rax, (megabytes << 20) + (page * Frame) + CodeOffset);
                _code.mov(__byte_ptr[rax], Return);
            }
        }
    }

    // Error code and CR2 are written down. A data access has three bytes and is left out; a fetch returns to its caller.
    private void EmitPageFault()
    {
        Label fetch = _code.CreateLabel();
        _code.pop(r14);
        _code.mov(__[r15], r14);
        _code.mov(r13, cr2);
        _code.mov(__[r15 + 8], r13);
        _code.add(r15, 16);
        _code.cmp(r13, __[rsp]);
        _code.je(fetch);
        _code.add(__qword_ptr[rsp], 3);
        _code.iretq();
        _code.Label(ref fetch);
        _code.mov(r13, __[rsp + 24]);
        _code.mov(r12, __[r13]);
        _code.mov(__[rsp], r12);
        _code.add(__qword_ptr[rsp + 24], 8);
        _code.iretq();
    }

    private void EmitRead(int? page)
    {
        _code.mov(rsi, page is { } number ? Linear(number, DataOffset) : AnyLinear(DataOffset));
        _code.xor(eax, eax);
        _code.mov(rax, __[rsi]);
        EmitLog();
    }

    private void EmitWrite()
    {
        _code.mov(rsi, AnyLinear(DataOffset));
        _code.mov(rbx, (ulong)_random.NextInt64());
        _code.mov(__[rsi], rbx);
    }

    private void EmitFetch()
    {
        _code.mov(rsi, AnyLinear(CodeOffset));
        _code.call(rsi);
    }

    private void EmitLookAtEntry()
    {
        _code.mov(rsi, AnyEntryAddress(out _));
        _code.mov(rax, __[rsi]);
        EmitLog();
    }

    private void EmitLog()
    {
        _code.mov(__[r15], rax);
        _code.add(r15, 8);
    }

    // Looks at a page that the entry is on the way to, before and behind the change.
    private void EmitChangeAndInvalidation()
    {
        ulong address = AnyEntryAddress(out int level);
        int? page = AnyPageThrough(address);
        EmitRead(page);

        // Nothing is remembered of an entry that is not present.
        if (EmitChange(address, level))
        {
            _isOutdated.AsSpan().Fill(true);
            EmitInvalidation();
        }

        EmitRead(page);
    }

    // By the root in force and the entries as they are now; null where there is none.
    private int? AnyPageThrough(ulong entry)
    {
        List<int> pages = [];
        for (int page = 0; page < Pages; page++)
        {
            ulong linear = Linear(page, 0), table = Roots + (_rootOf[_pcid]!.Value * Frame);
            for (int level = 4; level >= 1; level--)
            {
                ulong at = table + (((linear >> (3 + (9 * level))) & 0x1FF) * 8);
                if (at == entry)
                    pages.Add(page);
                ulong value = _entries[at];
                if (at == entry || (value & PagingEntry.Present) == 0 || (value & PagingEntry.PageSizeBit) != 0)
                    break;
                table = value & PagingEntry.AddressMask & ~(1UL << 50);
            }
        }

        return pages.Count == 0 ? null : pages[_random.Next(pages.Count)];
    }

    // True where the entry was present.
    private bool EmitChange(ulong address, int level)
    {
        bool isOfEveryRoot = _hasGlobals && level == 4;
        if (_random.Next(4) == 0 && !isOfEveryRoot)
        {
            _code.mov(rsi, address);
            _code.mov(rax, ~(PagingEntry.Accessed | PagingEntry.Dirty));
            _code.and(__[rsi], rax);
            return true;
        }

        bool wasPresent = (_entries[address] & PagingEntry.Present) != 0;
        ulong entry = AnyEntry(level);
        for (ulong root = 0; root < (isOfEveryRoot ? RootCount : 1UL); root++)
        {
            ulong at = isOfEveryRoot ? Roots + (root * Frame) + (address & (Frame - 1)) : address;
            _entries[at] = entry;
            _code.mov(rsi, at);
            _code.mov(rax, entry);
            _code.mov(__[rsi], rax);
        }

        return wasPresent;
    }

    // Each of these makes the processor forget all that it may remember of the tables under the PCID in force, and of global pages.
    private void EmitInvalidation()
    {
        // The first four spare what is global.
        switch (_random.Next(_hasGlobals ? 4 : 0, _variant == PagingVariant.FourLevelsWithBroadcast ? 10 : 8))
        {
            case 0:
                EmitLoadRoot(_random.Next(RootCount), _pcid, keeps: false);
                break;
            case 1:
                EmitInvpcid(type: 1, _pcid);
                break;
            case 2:
                EmitInvpcidOfEveryPage(_pcid);
                break;
            case 3:
                EmitInvpcid(type: 3, 0);
                _isOutdated.AsSpan().Clear();
                break;
            case 4:
            case 5:
                _code.call(_invlpgOfEveryPage);
                _isOutdated[_pcid] = false;
                break;
            case 6:
                EmitInvpcid(type: 2, 0);
                _isOutdated.AsSpan().Clear();
                break;
            case 7:
                EmitFlip(Cr4.PageGlobalEnable);
                EmitFlip(Cr4.PageGlobalEnable);
                _isOutdated.AsSpan().Clear();
                break;
            default:
                _code.mov(eax, 1 << 3); // globals too
                _code.xor(ecx, ecx);
                _code.xor(edx, edx);
                _code.db(0x0F, 0x01, 0xFE); // INVLPGB RAX, ECX, EDX
                _isOutdated.AsSpan().Clear();
                break;
        }
    }

    private void EmitInvpcidOfEveryPage(int pcid)
    {
        _code.mov(edi, pcid);
        _code.call(_invpcidOfEveryPage);
        _isOutdated[pcid] = false;
    }

    private void EmitInvalidationsOfEveryPage()
    {
        _code.Label(ref _invlpgOfEveryPage);
        for (int page = 0; page < Pages; page++)
        {
            _code.mov(rsi, Linear(page, 0));
            _code.invlpg(__byte_ptr[rsi]);
        }

        _code.ret();
        _code.Label(ref _invpcidOfEveryPage);
        _code.sub(rsp, 16);
        _code.mov(__[rsp], rdi);
        _code.xor(eax, eax);
        for (int page = 0; page < Pages; page++)
        {
            _code.mov(rsi, Linear(page, 0));
            _code.mov(__[rsp + 8], rsi);
            _code.invpcid(rax, __xmmword_ptr[rsp]);
        }

        _code.add(rsp, 16);
        _code.ret();
    }

    private void EmitInvpcid(int type, int pcid)
    {
        _code.sub(rsp, 16);
        _code.mov(eax, pcid);
        _code.mov(__[rsp], rax);
        _code.xor(eax, eax);
        _code.mov(__[rsp + 8], rax);
        _code.mov(eax, type);
        _code.invpcid(rax, __xmmword_ptr[rsp]);
        _code.add(rsp, 16);
        if (type == 1)
            _isOutdated[pcid] = false;
    }

    // What is kept of a PCID must be so still; where roots differ it must be of the same.
    private void EmitRoot()
    {
        int root = _random.Next(RootCount), pcid = _hasPcids ? _random.Next(PcidCount) : 0;
        if (_isOutdated[pcid] && _hasPcids && _random.Next(3) == 0)
        {
            if (_random.Next(2) == 0)
                EmitInvpcid(type: 1, pcid);
            else
                EmitInvpcidOfEveryPage(pcid);
        }

        bool mayKeep = _hasPcids && !_isOutdated[pcid] && (_hasGlobals || _rootOf[pcid] is not { } last || last == (ulong)root);
        EmitLoadRoot(root, pcid, keeps: mayKeep && _random.Next(4) != 0);
        if (_random.Next(3) != 0)
            return;
        _code.mov(rax, cr3);
        EmitLog();
    }

    private void EmitLoadRoot(int root, int pcid, bool keeps)
    {
        _code.mov(rax, (_roots + ((ulong)root * Frame)) | (ulong)(uint)pcid | (keeps ? 1UL << 63 : 0));
        _code.mov(cr3, rax);
        _pcid = pcid;
        _rootOf[pcid] = (ulong)root;
        _isOutdated[pcid] &= keeps;
    }

    private void EmitControl()
    {
        switch (_random.Next(_variant is PagingVariant.FourLevelsWithKeys or PagingVariant.FiveLevelsWithKeys ? 9 : 6))
        {
            case 6:
                EmitFlip(Cr4.ProtectionKeyEnable);
                _hasKeys = !_hasKeys;
                break;
            case 7 when _hasKeys:
                _code.xor(ecx, ecx);
                _code.xor(edx, edx);
                _code.mov(eax, _random.Next());
                _code.wrpkru();
                break;
            case 7:
            case 8:
                EmitFlip(Cr4.ProtectionKeySupervisor);
                _code.mov(ecx, SupervisorKeys);
                _code.xor(edx, edx);

                // Key 0 is that of the kernel itself.
                _code.mov(eax, _random.Next() & ~3);
                _code.wrmsr();
                break;
            case 0:
            case 1:
                _code.mov(rax, cr0);
                _code.xor(rax, (int)Cr0.WriteProtect);
                _code.mov(cr0, rax);
                break;
            case 2:
                EmitFlip(Cr4.Smap);
                break;
            case 3:
                EmitFlip(Cr4.Smep);
                break;
            case 4:
                _code.mov(ecx, ExtendedFeatures);
                _code.rdmsr();
                _code.xor(eax, (int)Efer.NoExecuteEnable);
                _code.wrmsr();
                _isOutdated.AsSpan().Fill(true);
                EmitInvalidation();
                break;
            default:
                // PCIDs begin with that of 0, and end with nothing that is remembered.
                EmitLoadRoot(0, 0, keeps: false);
                EmitFlip(Cr4.PcidEnable);
                _hasPcids = !_hasPcids;
                if (!_hasPcids)
                    _isOutdated.AsSpan().Clear();
                break;
        }
    }

    private void EmitFlip(Cr4 bit)
    {
        _code.mov(rax, cr4);
        _code.xor(rax, (int)bit);
        _code.mov(cr4, rax);
    }

    private ulong AnyLinear(ulong offset) => Linear(_random.Next(Pages), offset);

    private static ulong Linear(int page, ulong offset)
    {
        ulong number = (ulong)page;
        ulong root = 1 + (number / (PointersUsed * DirectoriesUsed * PagesUsed));
        return (root << 39) | (number / (DirectoriesUsed * PagesUsed) % PointersUsed << 30) | (number / PagesUsed % DirectoriesUsed << 21) | (number % PagesUsed << 12) | offset;
    }

    private ulong AnyEntryAddress(out int level)
    {
        level = _random.Next(1, 5);
        return level switch
        {
            1 => Tables + ((ulong)_random.Next(TableCount) * Frame) + ((ulong)_random.Next(PagesUsed) * 8),
            2 => Directories + ((ulong)_random.Next(DirectoryCount) * Frame) + ((ulong)_random.Next(DirectoriesUsed) * 8),
            3 => Pointers + ((ulong)_random.Next(PointerCount) * Frame) + ((ulong)_random.Next(PointersUsed) * 8),
            _ => Roots + ((ulong)_random.Next(RootCount) * Frame) + ((ulong)_random.Next(1, 3) * 8),
        };
    }

    private ulong AnyEntry(int level)
    {
        bool isLarge = level is 2 or 3 && _random.Next(3) == 0;
        ulong target = level switch
        {
            1 when _random.Next(3) == 0 => Tables + ((ulong)_random.Next(TableCount + DirectoryCount) * Frame),
            1 => Data + ((ulong)_random.Next(DataCount) * Frame),
            2 when isLarge => (ulong)_random.Next(1, 4) << 21,
            2 => Tables + ((ulong)_random.Next(TableCount) * Frame),
            3 when isLarge => 0,
            3 => Directories + ((ulong)_random.Next(DirectoryCount) * Frame),
            _ => Pointers + ((ulong)_random.Next(PointerCount) * Frame),
        };
        return target
            | (isLarge ? PagingEntry.PageSizeBit : 0)
            | Often(PagingEntry.Present, 85)
            | Often(PagingEntry.Writable, 80)
            | Often(PagingEntry.User, 60)
            | Often(PagingEntry.Accessed, level == 4 && _hasGlobals ? 100 : 30) // or a global page would spare another root's entry the flag
            | Often(PagingEntry.Dirty, 30)
            | Often(PagingEntry.Global, 20)
            | Often(PagingEntry.ExecuteDisable, 10)
            | Often(1UL << 50, 2)
            | ((ulong)(uint)_random.Next(16) << PagingEntry.ProtectionKeyShift);
    }

    private ulong Often(ulong bit, int percent) => _random.Next(100) < percent ? bit : 0;

    private void Fill(ulong first, int tables, int entries, int level)
    {
        for (ulong table = 0; table < (ulong)tables; table++)
        {
            for (ulong index = 0; index < (ulong)entries; index++)
                Put(first + (table * Frame) + (index * 8), AnyEntry(level));
            Put(first + (table * Frame) + CodeOffset, Return);
        }
    }

    // 2 MiB pages, but often for the range in which the tables are.
    private void WriteIdentityMap()
    {
        const ulong Directory = Identity + Frame, Table = Identity + (2 * Frame);
        bool hasSmallPages = _random.Next(2) == 0;
        Put(Identity, Directory | 3);
        for (ulong i = 0; i < MemoryBytes >> 21; i++)
            Put(Directory + (i * 8), i == Tables >> 21 && hasSmallPages ? Table | 3 : (i << 21) | PagingEntry.PageSizeBit | 3);
        for (ulong i = 0; i < 512; i++)
            Put(Table + (i * 8), (Tables + (i * Frame)) | 3);
        for (ulong i = 0; i < DataCount; i++)
            Put(Data + (i * Frame) + CodeOffset, Return);
    }

    private void WriteDescriptors(ulong handler)
    {
        Put(Gdt + 8, 0x00AF_9B00_0000_FFFF);
        Put(Gdt + 16, 0x00CF_9300_0000_FFFF);
        Put(Gdt + 0xF00, 0x17 | (Gdt << 16));
        Put(Gdt + 0xF08, Gdt >> 48);
        ulong gate = Idt + (14 * 16);
        Put(gate, (handler & 0xFFFF) | (8UL << 16) | (0x8E00UL << 32) | (handler >> 16 << 48));
        Put(gate + 8, handler >> 32);
        Put(Idt + 0xF00, 0xFFF | (Idt << 16));
        Put(Idt + 0xF08, Idt >> 48);
    }

    private void Put(ulong address, ulong value)
    {
        _entries[address] = value;
        BitConverter.TryWriteBytes(_image.AsSpan((int)(address - LoadAddress)), value);
    }
}
