using System.Buffers.Binary;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The segments of a multiboot kernel's 32-bit part, and its way to 64-bit mode.</summary>
internal sealed class LongModeEntry
{
    /// <summary>The 32-bit code segment.</summary>
    public const ushort CodeSelector = 0x18;
    private const ushort DataSelector = 0x20;
    private const ushort LongCodeSelector = 0x28;
    private const uint TableBytes = 4096;
    private const int MappedLargePages = 512;

    private readonly ProtectedModeAssembler _kernel;
    private readonly uint _gdtPointer;

    public LongModeEntry(ProtectedModeAssembler kernel)
    {
        // Other selectors than a loader's usual ones: a kernel that runs on with the loader's would be found out.
        const ulong Code32 = 0x00CF_9B00_0000_FFFF, Data = 0x00CF_9300_0000_FFFF, Code64 = 0x00AF_9B00_0000_FFFF;
        _kernel = kernel;
        ulong[] descriptors = [0, 0, 0, Code32, Data, Code64];
        var table = new byte[8 * descriptors.Length];
        for (int i = 0; i < descriptors.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(table.AsSpan(8 * i), descriptors[i]);
        var pointer = new byte[6];
        BinaryPrimitives.WriteUInt16LittleEndian(pointer, (ushort)(table.Length - 1));
        BinaryPrimitives.WriteUInt32LittleEndian(pointer.AsSpan(2), kernel.AddData(table));
        _gdtPointer = kernel.AddData(pointer);
    }

    /// <summary>Emits the load of the kernel's own segments. Changes EAX.</summary>
    public void EmitSegments()
    {
        Assembler c = _kernel.Code;
        uint inNewSegment = _kernel.AddFarPointer(CodeSelector);
        c.lgdt(__[_gdtPointer]);
        c.AddInstruction(Instruction.Create(Code.Jmp_m1632, new MemoryOperand(inNewSegment, 4)));
        _kernel.PlaceTarget(inNewSegment);
        c.mov(eax, DataSelector);
        c.mov(ds, eax);
        c.mov(es, eax);
        c.mov(ss, eax);
    }

    /// <summary>Emits the switch: the first GiB mapped to itself, PAE, IA32_EFER.LME, paging. SDM 3, "Initializing IA-32e Mode".</summary>
    /// <param name="entry">Where 64-bit code begins.</param>
    public void EmitSwitch(uint entry)
    {
        const uint PhysicalAddressExtension = 1 << 5, Paging = 1u << 31;
        const uint ExtendedFeatures = 0xC000_0080, LongModeEnable = 1 << 8;
        Assembler c = _kernel.Code;
        uint pml4 = EmitTables();
        c.mov(eax, cr4);
        c.or(eax, PhysicalAddressExtension);
        c.mov(cr4, eax);
        c.mov(eax, pml4);
        c.mov(cr3, eax);
        c.mov(ecx, ExtendedFeatures);
        c.rdmsr();
        c.or(eax, LongModeEnable);
        c.wrmsr();
        c.mov(eax, cr0);
        c.or(eax, Paging);
        c.mov(cr0, eax);
        var target = new byte[6];
        BinaryPrimitives.WriteUInt32LittleEndian(target, entry);
        BinaryPrimitives.WriteUInt16LittleEndian(target.AsSpan(4), LongCodeSelector);
        c.AddInstruction(Instruction.Create(Code.Jmp_m1632, new MemoryOperand(_kernel.AddData(target), 4)));
    }

    private uint EmitTables()
    {
        Assembler c = _kernel.Code;
        Label next = c.CreateLabel();
        uint pml4 = _kernel.Reserve(TableBytes, TableBytes);
        uint directoryPointers = _kernel.Reserve(TableBytes, TableBytes);
        uint directory = _kernel.Reserve(TableBytes, TableBytes);
        c.mov(__dword_ptr[pml4], directoryPointers | (uint)PagingFlags.Kernel);
        c.mov(__dword_ptr[directoryPointers], directory | (uint)PagingFlags.Kernel);
        c.mov(edi, directory);
        c.mov(eax, (uint)(PagingFlags.Kernel | PagingFlags.PageSize));
        c.mov(ecx, MappedLargePages);
        c.Label(ref next);
        c.mov(__dword_ptr[edi], eax);
        c.add(edi, 8);
        c.add(eax, (int)GuestPageSize.TwoMebibytes);
        c.dec(ecx);
        c.jnz(next);
        return pml4;
    }
}
