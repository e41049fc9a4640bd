using System.Buffers.Binary;
using System.Text;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>Assembles one guest: its code, its data, the markers, and the few services that differ between ring 3 and ring 0.</summary>
/// <remarks>
/// Addresses are fixed while code is emitted, so that they are immediates: code at <see cref="CodeAddress"/>, data 2 MiB above it,
/// zeros 4 MiB above it. Parts with different rights thus never share a page, not even one of 2 MiB.
/// </remarks>
internal sealed class GuestAssembler
{
    private const ulong PartSize = GuestPageSize.TwoMebibytes;
    private const ulong DeviceHole = 3 * GuestPageSize.OneGibibyte;
    private const ulong MemoryAboveHole = 4 * GuestPageSize.OneGibibyte;

    /// <summary>The lower half of canonical addresses, without its last part, where Linux has the stack.</summary>
    private const ulong AddressSpace = 1UL << 46;
    private const int MeasuredBegin = 0x4D4D5501;
    private const int MeasuredEnd = 0x4D4D5502;

    private readonly List<byte> _data = [];
    private readonly List<(int Offset, Label[] Labels)> _addressTables = [];
    private readonly List<(string Name, ElfSymbolKind Kind, int Instruction)> _codeSymbols = [];
    private readonly List<ElfSymbol> _dataSymbols = [];
    private readonly List<ElfSegment> _arenas = [];
    private readonly GuestRuntime _runtime;
    private ulong _zerosEnd;

    /// <summary>Begins a guest at its entry point.</summary>
    /// <param name="variant">Ring 3 or ring 0.</param>
    /// <param name="pageBytes">The size of the pages it will be mapped with.</param>
    public GuestAssembler(GuestVariant variant, ulong pageBytes)
    {
        Variant = variant;
        PageBytes = pageBytes;
        CodeAddress = variant == GuestVariant.Bare ? PartSize : 2 * PartSize;
        _zerosEnd = ZerosAddress;
        _runtime = variant == GuestVariant.Bare ? new BareRuntime(this) : new LinuxRuntime(this);
        Mark("_start", ElfSymbolKind.Function);
    }

    /// <summary>Where instructions go.</summary>
    public Assembler Code { get; } = new(64);

    public GuestVariant Variant { get; }

    public ulong PageBytes { get; }

    private ulong CodeAddress { get; }

    private ulong DataAddress => CodeAddress + PartSize;

    private ulong ZerosAddress => CodeAddress + (2 * PartSize);

    /// <summary>Adds initialised, writable data.</summary>
    /// <param name="name">The symbol for it; empty for none.</param>
    /// <param name="bytes">The content.</param>
    /// <param name="alignment">A power of two up to 4096.</param>
    /// <returns>Its address.</returns>
    public ulong AddData(string name, ReadOnlySpan<byte> bytes, int alignment)
    {
        while (_data.Count % alignment != 0)
            _data.Add(0);
        ulong address = DataAddress + (ulong)_data.Count;
        _data.AddRange(bytes);
        if (name.Length > 0)
            _dataSymbols.Add(new ElfSymbol(name, ElfSymbolKind.Data, address, (ulong)bytes.Length));
        return address;
    }

    /// <summary>Adds a table of code addresses, eight bytes each. The labels need be placed only before <see cref="Link"/>.</summary>
    /// <returns>Its address.</returns>
    public ulong AddAddressTable(string name, Label[] labels)
    {
        ulong address = AddData(name, new byte[8 * labels.Length], 8);
        _addressTables.Add(((int)(address - DataAddress), labels));
        return address;
    }

    /// <summary>Reserves memory that is zero at the start.</summary>
    /// <param name="name">The symbol for it.</param>
    /// <param name="bytes">Its size.</param>
    /// <param name="alignment">A power of two. From 2 MiB up, the memory gets a segment of its own.</param>
    /// <returns>Its address. A ring-0 guest runs where it is linked, so what would reach into the device hole below 4 GiB goes above it.</returns>
    /// <exception cref="GuestArgumentException">It does not fit the address space.</exception>
    public ulong Reserve(string name, ulong bytes, ulong alignment)
    {
        ulong address = Align(_zerosEnd, alignment);
        if (Variant == GuestVariant.Bare && address + bytes > DeviceHole)
            address = Align(Math.Max(address, MemoryAboveHole), alignment);
        if (bytes > AddressSpace || address + bytes > AddressSpace)
            throw new GuestArgumentException($"The guest needs {bytes >> 30} GiB of data, more than the {AddressSpace >> 30} GiB of the address space.");
        _dataSymbols.Add(new ElfSymbol(name, ElfSymbolKind.Data, address, bytes));
        if (alignment >= PartSize)
            _arenas.Add(new ElfSegment($".arena{_arenas.Count}", ElfSegmentAccess.ReadWrite, address, [], bytes, alignment));
        else if (_arenas.Count > 0)
            throw new InvalidOperationException("Small reservations come before arenas, so that the zeros are one segment.");
        _zerosEnd = address + bytes;
        return address;
    }

    /// <summary>Names the address of the next instruction.</summary>
    public void Mark(string symbol, ElfSymbolKind kind = ElfSymbolKind.Label) => _codeSymbols.Add((symbol, kind, Code.Instructions.Count));

    /// <summary>Begins a function: places its label and names it.</summary>
    public void BeginFunction(string symbol, ref Label label)
    {
        Mark(symbol, ElfSymbolKind.Function);
        Code.Label(ref label);
    }

    /// <summary>Loads a constant by the shortest instruction that needs no flags.</summary>
    public void Load(AssemblerRegister64 register, ulong value)
    {
        if (value <= uint.MaxValue)
            Code.AddInstruction(Instruction.Create(Iced.Intel.Code.Mov_r32_imm32, LowHalf(register), (uint)value));
        else
            Code.AddInstruction(Instruction.Create(Iced.Intel.Code.Mov_r64_imm64, register.Value, value));
    }

    /// <summary>Writes a zero into every page of a range, so that none is touched first in the measured part.</summary>
    /// <remarks>Changes RDI and RCX.</remarks>
    public void TouchPages(ulong address, ulong bytes)
    {
        Load(rdi, address);
        Load(rcx, (bytes + PageBytes - 1) / PageBytes);
        Label next = Code.CreateLabel();
        Code.Label(ref next);
        Code.mov(__byte_ptr[rdi], 0);
        AddConstant(rdi, PageBytes);
        Code.dec(rcx);
        Code.jnz(next);

        // A range that does not begin with a page may end in one more.
        Load(rdi, address + bytes - 1);
        Code.mov(__byte_ptr[rdi], 0);
    }

    /// <summary>Adds a constant below 2 GiB.</summary>
    public void AddConstant(AssemblerRegister64 register, ulong value) => Code.add(register, checked((int)value));

    /// <summary>The marker of the measured part's begin. It comes before the first measured instruction.</summary>
    public void BeginMeasured()
    {
        Mark("measured_begin");
        Code.nop(__dword_ptr[rax + MeasuredBegin]);
    }

    /// <summary>The marker of the measured part's end.</summary>
    public void EndMeasured()
    {
        Mark("measured_end");
        Code.nop(__dword_ptr[rax + MeasuredEnd]);
    }

    /// <summary>Prints a text. Changes RAX, RCX, RDX, RSI, RDI and R11.</summary>
    public void Print(string text)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(text);
        Load(rsi, AddData("", bytes, 1));
        Load(rdx, (ulong)bytes.Length);
        _runtime.CallPrint();
    }

    /// <summary>Prints RAX in decimal, unsigned. Changes RAX, RCX, RDX, RSI, RDI and R11.</summary>
    public void PrintDecimal() => _runtime.CallPrintDecimal();

    /// <summary>Prints RAX as 16 hexadecimal digits. Changes RAX, RCX, RDX, RSI, RDI and R11.</summary>
    public void PrintHexadecimal() => _runtime.CallPrintHexadecimal();

    /// <summary>Prints RDX bytes (at least one) at RSI. Changes RAX, RCX, RDX, RSI, RDI and R11.</summary>
    public void PrintBytes() => _runtime.CallPrint();

    /// <summary>Makes reserved pages executable, and no longer writable where that differs. Changes RAX, RCX, RDX, RSI, RDI and R11.</summary>
    /// <param name="address">The first byte of a page.</param>
    /// <param name="bytes">Their size.</param>
    public void MakeExecutable(ulong address, ulong bytes) => _runtime.MakeExecutable(address, bytes);

    /// <summary>Ends the guest with status 0.</summary>
    public void Exit()
    {
        Code.xor(eax, eax);
        _runtime.Exit();
    }

    /// <summary>Ends the guest with the status in AL.</summary>
    public void ExitWithStatus()
    {
        Code.movzx(eax, al);
        _runtime.Exit();
    }

    /// <summary>Resolves all addresses and writes the image.</summary>
    public byte[] Link()
    {
        _runtime.EmitFunctions();
        var text = new MemoryStream();
        AssemblerResult assembled = Code.Assemble(new StreamCodeWriter(text), CodeAddress, BlockEncoderOptions.ReturnNewInstructionOffsets);
        byte[] data = [.. _data];
        foreach ((int offset, Label[] labels) in _addressTables)
        {
            for (int i = 0; i < labels.Length; i++)
                BinaryPrimitives.WriteUInt64LittleEndian(data.AsSpan(offset + (8 * i)), assembled.GetLabelRIP(labels[i]));
        }

        if ((ulong)text.Length > PartSize || (ulong)data.Length > PartSize)
            throw new InvalidOperationException("The guest's code or data has outgrown its part of the address space.");
        uint[] offsets = assembled.Result[0].NewInstructionOffsets;
        IEnumerable<ElfSymbol> codeSymbols = _codeSymbols.Select(
            symbol => new ElfSymbol(symbol.Name, symbol.Kind, CodeAddress + offsets[symbol.Instruction], 0));
        return Elf64ImageWriter.Write(Variant, CodeAddress, Segments(text.ToArray(), data), [.. codeSymbols, .. _dataSymbols]);
    }

    private List<ElfSegment> Segments(byte[] text, byte[] data)
    {
        var segments = new List<ElfSegment>
        {
            new(".text", ElfSegmentAccess.ReadExecute, CodeAddress, text, (ulong)text.Length, GuestPageSize.FourKibibytes),
        };
        if (data.Length > 0)
            segments.Add(new(".data", ElfSegmentAccess.ReadWrite, DataAddress, data, (ulong)data.Length, GuestPageSize.FourKibibytes));
        ulong zeros = (_arenas.Count == 0 ? _zerosEnd : _dataSymbols
            .Where(symbol => symbol.Address >= ZerosAddress && symbol.Address < _arenas[0].Address)
            .Select(symbol => symbol.Address + symbol.SizeInBytes)
            .DefaultIfEmpty(ZerosAddress).Max()) - ZerosAddress;
        if (zeros > 0)
            segments.Add(new(".bss", ElfSegmentAccess.ReadWrite, ZerosAddress, [], zeros, GuestPageSize.FourKibibytes));
        segments.AddRange(_arenas);
        return segments;
    }

    private static ulong Align(ulong address, ulong alignment) => (address + alignment - 1) & ~(alignment - 1);

    private static Register LowHalf(AssemblerRegister64 register) => register.Value - Register.RAX + Register.EAX;
}
