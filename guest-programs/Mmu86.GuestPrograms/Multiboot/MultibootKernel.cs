using System.Buffers.Binary;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The 32-bit part of <c>kernel-multiboot</c>: what the loader says, then ticks of the timer.</summary>
internal sealed class MultibootKernel
{
    /// <summary>How many ticks each part waits for.</summary>
    public const int Ticks = 10;

    private const uint BootMagic = 0x2BAD_B002;
    private const uint StackBytes = 4096;
    private const uint GateBytes = 8;

    private readonly ProtectedModeAssembler _kernel;
    private readonly Assembler _code;
    private readonly LongModeEntry _entry;
    private readonly uint _stackTop;
    private readonly uint _ticks;

    public MultibootKernel(ProtectedModeAssembler kernel, LongModeEntry entry)
    {
        _kernel = kernel;
        _code = kernel.Code;
        _entry = entry;
        _stackTop = kernel.Reserve(StackBytes, StackBytes) + StackBytes;
        _ticks = kernel.Reserve(4, 4);
    }

    /// <summary>Emits everything up to the switch to 64-bit mode.</summary>
    public void Emit()
    {
        _code.mov(esp, _stackTop);
        EmitLoader();
        EmitCommandLine();
        EmitMemoryMap();
        _entry.EmitSegments();
        EmitInterruptTable();
        EmitTicks();
    }

    private void EmitLoader()
    {
        Label known = _code.CreateLabel(), done = _code.CreateLabel();
        _code.cmp(eax, BootMagic);
        _code.je(known);
        _kernel.Print("loader: unknown\n");
        _code.jmp(done);
        _code.Label(ref known);
        _kernel.Print("loader: multiboot\n");
        _code.Label(ref done);
    }

    /// <summary>The command line without its first word, the image's name.</summary>
    private void EmitCommandLine()
    {
        const int HasCommandLine = 1 << 2, CommandLine = 16;
        Label skip = _code.CreateLabel(), print = _code.CreateLabel(), none = _code.CreateLabel();
        _kernel.Print("command line:");
        _code.test(__dword_ptr[ebx], HasCommandLine);
        _code.jz(none);
        _code.mov(esi, __dword_ptr[ebx + CommandLine]);
        _code.Label(ref skip);
        _code.mov(al, __byte_ptr[esi]);
        _code.test(al, al);
        _code.jz(print);
        _code.cmp(al, (byte)' ');
        _code.je(print);
        _code.inc(esi);
        _code.jmp(skip);
        _code.Label(ref print);
        _kernel.PrintText();
        _code.Label(ref none);
        _kernel.Print("\n");
    }

    /// <summary>A line for each entry: start, length and type, in hexadecimal.</summary>
    private void EmitMemoryMap()
    {
        const int HasMap = 1 << 6, MapLength = 44, MapAddress = 48, Start = 4, Length = 12, Type = 20, SizeField = 4;
        Label next = _code.CreateLabel(), done = _code.CreateLabel();
        _code.test(__dword_ptr[ebx], HasMap);
        _code.jz(done);
        _code.mov(edi, __dword_ptr[ebx + MapAddress]);
        _code.mov(ebp, __dword_ptr[ebx + MapLength]);
        _code.add(ebp, edi);
        _code.Label(ref next);
        _code.cmp(edi, ebp);
        _code.jae(done);
        _kernel.Print("memory:");
        foreach (int field in new[] { Start, Length })
        {
            _kernel.Print(" ");
            EmitPrintField(field + 4);
            EmitPrintField(field);
        }

        _kernel.Print(" ");
        EmitPrintField(Type);
        _kernel.Print("\n");
        _code.add(edi, __dword_ptr[edi]);
        _code.add(edi, SizeField);
        _code.jmp(next);
        _code.Label(ref done);
    }

    private void EmitPrintField(int offset)
    {
        _code.mov(eax, __dword_ptr[edi + offset]);
        _kernel.PrintHex();
    }

    /// <summary>An IDT whose only gate is the timer's.</summary>
    private void EmitInterruptTable()
    {
        const uint Gates = LegacyInterrupts.FirstVector + 1, InterruptGate = 0x8E00;
        Label after = _code.CreateLabel();
        uint handler = _kernel.AddFarPointer(LongModeEntry.CodeSelector);
        uint table = _kernel.Reserve(Gates * GateBytes, 8);
        uint gate = table + (LegacyInterrupts.FirstVector * GateBytes);
        var pointer = new byte[6];
        BinaryPrimitives.WriteUInt16LittleEndian(pointer, (ushort)((Gates * GateBytes) - 1));
        BinaryPrimitives.WriteUInt32LittleEndian(pointer.AsSpan(2), table);
        _code.mov(eax, __dword_ptr[handler]);
        _code.mov(__word_ptr[gate], ax);
        _code.mov(__word_ptr[gate + 2], LongModeEntry.CodeSelector);
        _code.shr(eax, 16);
        _code.mov(__word_ptr[gate + 6], ax);
        _code.mov(__word_ptr[gate + 4], unchecked((short)InterruptGate));
        _code.lidt(__[_kernel.AddData(pointer)]);
        _code.jmp(after);

        _kernel.PlaceTarget(handler);
        _code.push(eax);
        _code.inc(__dword_ptr[_ticks]);
        LegacyInterrupts.EmitEnd(_code);
        _code.pop(eax);
        _code.iretd();
        _code.Label(ref after);
    }

    private void EmitTicks()
    {
        Label wait = _code.CreateLabel(), done = _code.CreateLabel();
        LegacyInterrupts.EmitInitialise(_code);
        LegacyInterrupts.EmitTimer(_code);
        LegacyInterrupts.EmitListenToTimer(_code);
        _code.Label(ref wait);
        _code.cli();
        _code.cmp(__dword_ptr[_ticks], Ticks);
        _code.jae(done);
        _code.sti();
        _code.hlt();
        _code.jmp(wait);
        _code.Label(ref done);
        LegacyInterrupts.EmitMaskAll(_code);
        _kernel.Print("timer ticks in protected mode: 0x");
        _code.mov(eax, __dword_ptr[_ticks]);
        _kernel.PrintHex();
        _kernel.Print("\n");
    }
}
