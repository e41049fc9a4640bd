using System.Buffers.Binary;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>What every ring-0 kernel needs: a stack, page tables for itself, descriptor tables, and handlers for what must not happen.</summary>
/// <remarks>The kernel lives in the first 64 MiB, mapped to themselves by 2 MiB pages. Linear addresses from 512 GiB on are its to play with.</remarks>
internal sealed class KernelSupport
{
    public const ulong TableBytes = 4096;

    /// <summary>The first address of the second PML4 entry.</summary>
    public const ulong Region = 1UL << 39;

    public const ushort CodeSelector = 0x08;
    public const ushort DataSelector = 0x10;
    public const ushort UserDataSelector = 0x18 | 3;
    public const ushort UserCodeSelector = 0x20 | 3;
    private const ushort TaskSelector = 0x28;
    private const ushort LocalTableSelector = 0x38;
    private const int Vectors = 256;
    private const int Exceptions = 32;
    private const int GateBytes = 16;
    private const int GlobalTableBytes = LocalTableSelector + 16;
    private const int DoubleFault = 8;
    private const int InterruptGate = 0x8E;
    private const ulong StackBytes = 16384;
    private const int MappedLargePages = 32;

    private readonly GuestAssembler _guest;
    private readonly Label[] _handlers = new Label[Exceptions];
    private readonly HashSet<int> _handled = [];
    private readonly ulong _handlerTable;
    private readonly ulong _interruptTable;
    private readonly ulong _descriptors;
    private readonly ulong _descriptorPointers;
    private readonly ulong _directoryPointers;
    private readonly ulong _directory;
    private Label _setGate;

    public KernelSupport(GuestAssembler guest)
    {
        _guest = guest;
        _setGate = guest.Code.CreateLabel();
        for (int i = 0; i < Exceptions; i++)
            _handlers[i] = guest.Code.CreateLabel();
        _handlerTable = guest.AddAddressTable("exception_handlers", _handlers);
        Pml4 = guest.Reserve("pml4", TableBytes, TableBytes);
        _directoryPointers = guest.Reserve("pdpt", TableBytes, TableBytes);
        _directory = guest.Reserve("page_directory", TableBytes, TableBytes);
        StackTop = guest.Reserve("stack", StackBytes, TableBytes) + StackBytes;
        ulong faultStackTop = guest.Reserve("fault_stack", StackBytes, TableBytes) + StackBytes;
        _interruptTable = guest.Reserve("idt", Vectors * GateBytes, 16);
        ulong task = guest.AddData("tss", TaskState(StackTop, faultStackTop), 16);
        _descriptors = guest.AddData("gdt", Descriptors(task), 8);
        _descriptorPointers = AddDescriptorPointers(guest);
    }

    /// <summary>The kernel's PML4. Its first entry maps the kernel.</summary>
    public ulong Pml4 { get; }

    /// <summary>The end of the stack, for interrupts from ring 3 too.</summary>
    public ulong StackTop { get; }

    /// <summary>The entry of a PML4 that maps the kernel, for other address spaces.</summary>
    public ulong KernelPml4Entry => _directoryPointers | PagingFlags.User;

    /// <summary>Emits what makes the kernel independent of who loaded it.</summary>
    /// <param name="globality"><see cref="PagingFlags.Global"/> for a kernel whose pages are global, or 0.</param>
    public void EmitStart(ulong globality)
    {
        Assembler c = _guest.Code;
        Label next = c.CreateLabel();
        _guest.Load(rsp, StackTop);
        SetEntry(Pml4, 0, KernelPml4Entry);
        SetEntry(_directoryPointers, 0, _directory | PagingFlags.User);
        _guest.Load(rdi, _directory);
        _guest.Load(rax, PagingFlags.Kernel | PagingFlags.PageSize | globality);
        c.mov(ecx, MappedLargePages);
        c.Label(ref next);
        c.mov(__[rdi], rax);
        c.add(rdi, 8);
        c.add(rax, (int)GuestPageSize.TwoMebibytes);
        c.dec(ecx);
        c.jnz(next);
        _guest.Load(rax, Pml4);
        c.mov(cr3, rax);
        EmitDescriptors();
    }

    /// <summary>Emits a store of a constant entry into a table. Changes RAX.</summary>
    public void SetEntry(ulong table, int index, ulong entry)
    {
        _guest.Load(rax, entry);
        _guest.Code.mov(__qword_ptr[table + (ulong)(8 * index)], rax);
    }

    /// <summary>Emits what gives the kernel an LDT of two descriptors. Changes RAX.</summary>
    /// <param name="address">Its linear address; nothing need be mapped there before a segment of it is loaded.</param>
    public void EmitLocalDescriptorTable(ulong address)
    {
        const ulong TwoDescriptors = 0x0000_8200_0000_000F;
        ulong descriptor = _descriptors + LocalTableSelector;
        _guest.Load(rax, TwoDescriptors | ((address & 0xFF_FFFF) << 16) | ((address >> 24 & 0xFF) << 56));
        _guest.Code.mov(__qword_ptr[descriptor], rax);
        _guest.Load(rax, address >> 32);
        _guest.Code.mov(__qword_ptr[descriptor + 8], rax);
        _guest.Code.mov(eax, LocalTableSelector);
        _guest.Code.lldt(ax);
    }

    /// <summary>Begins the handler of an exception.</summary>
    public void BeginHandler(int vector, string symbol)
    {
        _guest.Mark(symbol, ElfSymbolKind.Function);
        _guest.Code.Label(ref _handlers[vector]);
        _handled.Add(vector);
    }

    /// <summary>Emits what lets ring 3 reach a handler by INT. Changes RAX, RDX and RDI.</summary>
    public void EmitUserGate(int vector, Label handler)
    {
        const int UserInterruptGate = 0xEE;
        EmitGate(vector, handler, UserInterruptGate);
    }

    /// <summary>Emits what leads an interrupt to its handler. Changes RAX, RDX and RDI.</summary>
    public void EmitInterruptGate(int vector, Label handler) => EmitGate(vector, handler, InterruptGate);

    /// <summary>Emits an identity mapping, uncacheable, of the 2 MiB around a device between 1 and 4 GiB. Changes RAX.</summary>
    public void EmitDevicePage(ulong address)
    {
        const ulong Uncacheable = PagingFlags.CacheDisable | PagingFlags.WriteThrough;
        ulong page = address & ~(GuestPageSize.TwoMebibytes - 1);
        ulong directory = _guest.Reserve("device_directory", TableBytes, TableBytes);
        SetEntry(_directoryPointers, (int)(page >> 30), directory | PagingFlags.Kernel);
        SetEntry(directory, (int)(page >> 21 & 511), page | PagingFlags.Kernel | PagingFlags.PageSize | Uncacheable);
    }

    /// <summary>Emits a write of a constant to a model-specific register. Changes RAX, RCX and RDX.</summary>
    public void EmitWriteMsr(uint index, ulong value)
    {
        Assembler c = _guest.Code;
        c.mov(ecx, index);
        c.mov(eax, (uint)value);
        c.mov(edx, (uint)(value >> 32));
        c.wrmsr();
    }

    /// <summary>Emits what sets bits of a model-specific register. Changes RAX, RCX and RDX.</summary>
    public void EmitSetMsrBits(uint index, uint bits)
    {
        Assembler c = _guest.Code;
        c.mov(ecx, index);
        c.rdmsr();
        c.or(eax, bits);
        c.wrmsr();
    }

    /// <summary>Emits the handlers of exceptions that the kernel does not expect: they say which and end with status 3.</summary>
    public void EmitUnexpectedExceptions()
    {
        const int Status = 3;
        Assembler c = _guest.Code;
        Label unexpected = c.CreateLabel();
        for (int vector = 0; vector < Exceptions; vector++)
        {
            if (_handled.Contains(vector))
                continue;

            c.Label(ref _handlers[vector]);
            c.push(vector);
            c.jmp(unexpected);
        }

        _guest.Mark("unexpected_exception");
        c.Label(ref unexpected);
        _guest.Print("unexpected exception ");
        c.pop(rax);
        _guest.PrintDecimal();
        _guest.Print("\n");
        c.mov(eax, Status);
        _guest.ExitWithStatus();
        EmitSetGate();
    }

    private void EmitGate(int vector, Label handler, int access)
    {
        Assembler c = _guest.Code;
        c.lea(rax, __[handler]);
        _guest.Load(rdi, _interruptTable + (ulong)(vector * GateBytes));
        c.mov(edx, access << 8);
        c.call(_setGate);
    }

    private void EmitDescriptors()
    {
        const int FirstInterruptStack = 1;
        Assembler c = _guest.Code;
        Label inNewSegment = c.CreateLabel(), next = c.CreateLabel();
        c.lgdt(__[_descriptorPointers]);
        c.push(CodeSelector);
        c.lea(rax, __[inNewSegment]);
        c.push(rax);
        c.AddInstruction(Instruction.Create(Code.Retfq));
        c.Label(ref inNewSegment);
        c.mov(eax, DataSelector);
        c.mov(ds, eax);
        c.mov(es, eax);
        c.mov(ss, eax);
        c.mov(eax, TaskSelector);
        c.ltr(ax);

        c.xor(ebx, ebx);
        c.mov(edx, InterruptGate << 8);
        _guest.Load(rdi, _interruptTable);
        c.Label(ref next);
        c.mov(rax, __[(rbx * 8) + (int)_handlerTable]);
        c.call(_setGate);
        c.inc(ebx);
        c.cmp(ebx, Exceptions);
        c.jb(next);
        c.mov(__byte_ptr[_interruptTable + (DoubleFault * GateBytes) + 4], FirstInterruptStack);
        c.lidt(__[_descriptorPointers + 16]);
    }

    /// <summary>The function that makes the gate at RDI lead to RAX, with bytes 4 and 5 from DX. Leaves RDI at the next gate; changes RAX.</summary>
    private void EmitSetGate()
    {
        Assembler c = _guest.Code;
        _guest.BeginFunction("set_gate", ref _setGate);
        c.mov(__[rdi], ax);
        c.mov(__word_ptr[rdi + 2], CodeSelector);
        c.mov(__[rdi + 4], dx);
        c.shr(rax, 16);
        c.mov(__[rdi + 6], ax);
        c.shr(rax, 16);
        c.mov(__[rdi + 8], rax);
        c.add(rdi, GateBytes);
        c.ret();
    }

    /// <summary>The GDT: flat segments, the task, and room for an LDT.</summary>
    private static byte[] Descriptors(ulong task)
    {
        const ulong KernelCode = 0x00AF_9B00_0000_FFFF, KernelData = 0x00CF_9300_0000_FFFF;
        const ulong UserPrivilege = 3UL << 45, AvailableTask = 0x0000_8900_0000_0067;
        ulong taskLow = AvailableTask | ((task & 0xFF_FFFF) << 16) | ((task >> 24 & 0xFF) << 56);
        ulong[] descriptors = [0, KernelCode, KernelData, KernelData | UserPrivilege, KernelCode | UserPrivilege, taskLow, task >> 32];
        var bytes = new byte[GlobalTableBytes];
        for (int i = 0; i < descriptors.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8 * i), descriptors[i]);
        return bytes;
    }

    /// <summary>One after the other the operands of LGDT and LIDT, 16 bytes apart.</summary>
    private ulong AddDescriptorPointers(GuestAssembler guest)
    {
        var pointers = new byte[32];
        BinaryPrimitives.WriteUInt16LittleEndian(pointers, GlobalTableBytes - 1);
        BinaryPrimitives.WriteUInt64LittleEndian(pointers.AsSpan(2), _descriptors);
        BinaryPrimitives.WriteUInt16LittleEndian(pointers.AsSpan(16), (Vectors * GateBytes) - 1);
        BinaryPrimitives.WriteUInt64LittleEndian(pointers.AsSpan(18), _interruptTable);
        return guest.AddData("descriptor_pointers", pointers, 16);
    }

    /// <summary>A 64-bit TSS with RSP0, IST1 and no I/O permission map. SDM 3, "Task Management in 64-bit Mode".</summary>
    private static byte[] TaskState(ulong stackTop, ulong faultStackTop)
    {
        const int Size = 104, Rsp0 = 4, Ist1 = 36, MapBase = 102;
        var task = new byte[Size];
        BinaryPrimitives.WriteUInt64LittleEndian(task.AsSpan(Rsp0), stackTop);
        BinaryPrimitives.WriteUInt64LittleEndian(task.AsSpan(Ist1), faultStackTop);
        BinaryPrimitives.WriteUInt16LittleEndian(task.AsSpan(MapBase), Size);
        return task;
    }
}
