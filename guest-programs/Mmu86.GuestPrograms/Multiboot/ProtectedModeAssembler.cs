using System.Buffers.Binary;
using System.Text;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>Assembles the 32-bit part of a multiboot kernel: header, code, data and zeros from 1 MiB on, and a few services.</summary>
internal sealed class ProtectedModeAssembler
{
    private const uint Start = 0x10_0000;
    private const uint CodeStart = Start + 16;
    private const uint DataStart = Start + 0x8000;
    private const uint ZerosStart = Start + 0x1_0000;
    private const uint End = Start + 0x10_0000;

    private const ushort SerialData = 0x3F8;
    private const ushort SerialLineStatus = SerialData + 5;
    private const sbyte CanTakeByte = 0x20;

    private readonly List<byte> _data = [];
    private readonly List<(int Offset, Label Label)> _farPointers = [];
    private uint _zerosEnd = ZerosStart;
    private Label _put;
    private Label _printText;
    private Label _printHex;

    public ProtectedModeAssembler()
    {
        _put = Code.CreateLabel();
        _printText = Code.CreateLabel();
        _printHex = Code.CreateLabel();
    }

    /// <summary>Where instructions go. The kernel begins with the first.</summary>
    public Assembler Code { get; } = new(32);

    /// <summary>Adds initialised data on a multiple of 8 and gives its address.</summary>
    public uint AddData(ReadOnlySpan<byte> bytes)
    {
        while (_data.Count % 8 != 0)
            _data.Add(0);
        uint address = DataStart + (uint)_data.Count;
        _data.AddRange(bytes);
        return address;
    }

    /// <summary>Adds a far pointer to where <see cref="PlaceTarget"/> will be called, and gives the pointer's address.</summary>
    public uint AddFarPointer(ushort selector)
    {
        Span<byte> pointer = stackalloc byte[6];
        BinaryPrimitives.WriteUInt16LittleEndian(pointer[4..], selector);
        return AddData(pointer);
    }

    /// <summary>Lets a far pointer lead to the next instruction.</summary>
    public void PlaceTarget(uint farPointer)
    {
        Label label = Code.CreateLabel();
        Code.Label(ref label);
        _farPointers.Add(((int)(farPointer - DataStart), label));
    }

    /// <summary>Reserves zeros and gives their address.</summary>
    public uint Reserve(uint bytes, uint alignment)
    {
        uint address = (_zerosEnd + alignment - 1) & ~(alignment - 1);
        _zerosEnd = address + bytes;
        return address;
    }

    /// <summary>Prints a text. Changes EAX, EDX and ESI.</summary>
    public void Print(string text)
    {
        Code.mov(esi, AddData([.. Encoding.ASCII.GetBytes(text), 0]));
        Code.call(_printText);
    }

    /// <summary>Prints the text at ESI, which ends with a zero. Changes EAX, EDX and ESI.</summary>
    public void PrintText() => Code.call(_printText);

    /// <summary>Prints EAX as eight hexadecimal digits. Changes EAX, ECX and EDX.</summary>
    public void PrintHex() => Code.call(_printHex);

    /// <summary>Emits an OUT of a constant. Changes AL.</summary>
    public void Out(byte port, byte value)
    {
        Code.mov(al, value);
        Code.@out(port, al);
    }

    /// <summary>Resolves all addresses.</summary>
    /// <returns>The part of the kernel, and where its first instruction is.</returns>
    public (Elf32ImageWriter.Part Part, uint Entry) Link()
    {
        EmitFunctions();
        var content = new byte[DataStart - Start + (uint)_data.Count];
        WriteHeader(content);
        var code = new MemoryStream(content, (int)(CodeStart - Start), (int)(DataStart - CodeStart));
        AssemblerResult assembled = Code.Assemble(new StreamCodeWriter(code), CodeStart, BlockEncoderOptions.ReturnNewInstructionOffsets);
        _data.CopyTo(content, (int)(DataStart - Start));
        foreach ((int offset, Label label) in _farPointers)
            BinaryPrimitives.WriteUInt32LittleEndian(content.AsSpan((int)(DataStart - Start) + offset), (uint)assembled.GetLabelRIP(label));
        if (DataStart + _data.Count > ZerosStart || _zerosEnd > End)
            throw new InvalidOperationException("The 32-bit part has outgrown its MiB.");
        return (new Elf32ImageWriter.Part(Start, content, _zerosEnd - Start), CodeStart);
    }

    // Multiboot Specification 0.6.96, "OS image format".
    private static void WriteHeader(Span<byte> content)
    {
        const uint Magic = 0x1BAD_B002, WantsMemory = 1 << 1;
        BinaryPrimitives.WriteUInt32LittleEndian(content, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(content[4..], WantsMemory);
        BinaryPrimitives.WriteUInt32LittleEndian(content[8..], unchecked(0 - Magic - WantsMemory));
    }

    private void EmitFunctions()
    {
        EmitPut();
        EmitPrintText();
        EmitPrintHex();
    }

    /// <summary>The function that sends AL. Changes EDX.</summary>
    private void EmitPut()
    {
        Label wait = Code.CreateLabel();
        Code.Label(ref _put);
        Code.push(eax);
        Code.mov(edx, SerialLineStatus);
        Code.Label(ref wait);
        Code.@in(al, dx);
        Code.test(al, CanTakeByte);
        Code.jz(wait);
        Code.pop(eax);
        Code.mov(edx, SerialData);
        Code.@out(dx, al);
        Code.ret();
    }

    private void EmitPrintText()
    {
        Label done = Code.CreateLabel();
        Code.Label(ref _printText);
        Code.mov(al, __byte_ptr[esi]);
        Code.test(al, al);
        Code.jz(done);
        Code.call(_put);
        Code.inc(esi);
        Code.jmp(_printText);
        Code.Label(ref done);
        Code.ret();
    }

    private void EmitPrintHex()
    {
        const int Digits = 8, LettersAfterDigits = 'a' - '9' - 1;
        Label next = Code.CreateLabel(), isDigit = Code.CreateLabel();
        Code.Label(ref _printHex);
        Code.mov(ecx, Digits);
        Code.Label(ref next);
        Code.rol(eax, 4);
        Code.push(eax);
        Code.and(al, 0xF);
        Code.add(al, (byte)'0');
        Code.cmp(al, (byte)'9');
        Code.jbe(isDigit);
        Code.add(al, LettersAfterDigits);
        Code.Label(ref isDigit);
        Code.call(_put);
        Code.pop(eax);
        Code.dec(ecx);
        Code.jnz(next);
        Code.ret();
    }
}
