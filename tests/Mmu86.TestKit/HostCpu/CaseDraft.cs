using System.Runtime.InteropServices;
using Iced.Intel;

namespace Mmu86.TestKit.HostCpu;

/// <summary>A case that is being put together: which registers are already spoken for, and where memory operands may go.</summary>
internal sealed class CaseDraft
{
    // CF PF AF ZF SF OF; DF is drawn apart.
    private const ulong StatusFlags = 0x8D5;
    private const ulong DirectionFlag = 1 << 10;

    // Bit 1 always reads 1, and ring 3 runs with interrupts on.
    private const ulong FixedFlags = 0x202;

    private readonly bool[] _pinned = new bool[16];
    private InstructionCase _case;

    public CaseDraft(CaseRandom random)
    {
        Random = random;
        for (int i = 0; i < 16; i++)
            _case.Registers[i] = random.Corner();
        _case.Flags = FixedFlags | (random.Next() & StatusFlags) | (random.Percent(20) ? DirectionFlag : 0);
        PlaceWindow();
        FillWindow();
    }

    public CaseRandom Random { get; }

    public ref InstructionCase Case => ref _case;

    /// <summary>The direction of string instructions.</summary>
    public bool GoesDown => (_case.Flags & DirectionFlag) != 0;

    /// <summary>The number of a register of any width, by its encoding.</summary>
    public static int NumberOf(Register register) => register.GetFullRegister() - Register.RAX;

    public bool IsPinned(Register register) => _pinned[NumberOf(register)];

    public ulong this[Register register] => _case.Registers[NumberOf(register)];

    /// <summary>Gives a register the value that the instruction needs. It keeps it.</summary>
    public void Pin(Register register, ulong value)
    {
        int number = NumberOf(register);
        _pinned[number] = true;
        _case.Registers[number] = value;
    }

    /// <summary>Gives a register a value unless it is spoken for.</summary>
    public void Suggest(Register register, ulong value)
    {
        int number = NumberOf(register);
        if (!_pinned[number])
            _case.Registers[number] = value;
    }

    public void SetDirection(bool down) => _case.Flags = down ? _case.Flags | DirectionFlag : _case.Flags & ~DirectionFlag;

    /// <summary>Writes to the window, as far as the address lies in it.</summary>
    public void Store(ulong address, ReadOnlySpan<byte> bytes)
    {
        Span<byte> window = _case.Window;
        for (int i = 0; i < bytes.Length; i++)
        {
            ulong offset = unchecked(address + (ulong)i - _case.WindowAddress);
            if (offset < WindowBuffer.Bytes)
                window[(int)offset] = bytes[i];
        }
    }

    /// <summary>Writes a number of so many bytes to the window, as far as the address lies in it.</summary>
    public void Store(ulong address, ulong value, int bytes) =>
        Store(address, MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in value))[..Math.Min(bytes, 8)]);

    /// <summary>The eight bytes at an address: those of the window, zero outside.</summary>
    public ulong Load(ulong address)
    {
        ReadOnlySpan<byte> window = _case.Window;
        ulong value = 0;
        for (int i = 7; i >= 0; i--)
        {
            ulong offset = unchecked(address + (ulong)i - _case.WindowAddress);
            value = (value << 8) | (offset < WindowBuffer.Bytes ? window[(int)offset] : 0UL);
        }

        return value;
    }

    /// <summary>An address in the window at which so many bytes fit.</summary>
    public ulong AddressInWindow(int bytes)
    {
        ulong address = _case.WindowAddress + (ulong)Random.Below(WindowBuffer.Bytes - Math.Min(bytes, WindowBuffer.Bytes - 1));
        // Half of them aligned to their size, as real programs have them.
        return Random.Percent(50) && bytes <= 16 ? Math.Max(_case.WindowAddress, address & ~(ulong)(bytes - 1)) : address;
    }

    /// <summary>The address of an instruction to which a branch may go: any byte of the code pages that is not the case's own.</summary>
    public ulong BranchTarget()
    {
        while (true)
        {
            ulong target = ScratchMemory.CodeStart + (ulong)Random.Below(ScratchMemory.CodeBytes);
            if (target < _case.CodeAddress || target >= _case.CodeAddress + CodeBuffer.Bytes)
                return target;
        }
    }

    private void PlaceWindow()
    {
        const ulong last = ScratchMemory.DataBytes - WindowBuffer.Bytes;
        ulong offset = Random.Below(5) switch
        {
            0 => 0,
            1 => last,
            2 => 0x1000 - (ulong)Random.Below(WindowBuffer.Bytes),
            _ => (ulong)Random.Below((int)last + 1),
        };
        _case.WindowAddress = ScratchMemory.DataStart + offset;
    }

    private void FillWindow()
    {
        Span<ulong> window = MemoryMarshal.Cast<byte, ulong>((Span<byte>)_case.Window);
        int kind = Random.Below(8);
        byte repeated = (byte)Random.Next();
        foreach (ref ulong word in window)
        {
            word = kind switch
            {
                0 => 0,
                1 => repeated * 0x0101_0101_0101_0101UL,
                2 or 3 => Random.Corner(),
                _ => Random.Next(),
            };
        }
    }
}
