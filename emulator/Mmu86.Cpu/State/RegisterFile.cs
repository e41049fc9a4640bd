using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>The general-purpose registers, RIP and RFLAGS as managed code sees them. Valid while no handler runs.</summary>
public sealed unsafe class RegisterFile
{
    private readonly CpuState* _state;

    internal RegisterFile(CpuState* state) => _state = state;

    /// <summary>RIP, EIP or IP of the instruction being executed, or of the next one between instructions: an offset in CS.</summary>
    public ulong Rip
    {
        get => _state->Rip;
        set => _state->Rip = value;
    }

    /// <summary>RFLAGS with the lazy status flags made explicit. Setting keeps bit 1 set and reserved bits clear.</summary>
    public RFlags Flags
    {
        get => (RFlags)(_state->SystemFlags | LazyFlags.Materialize(_state->FlagResult, _state->FlagCarry, _state->FlagAux));
        set
        {
            _state->SystemFlags = ((ulong)value & SystemFlagBits) | (ulong)RFlags.Reserved1;
            LazyFlags.Load((ulong)value, out _state->FlagResult, out _state->FlagCarry, out _state->FlagAux);
        }
    }

    /// <summary>One of RAX to R15 in the manual's numbering, 64 bits.</summary>
    public ulong this[int number]
    {
        get => *Pointer(number);
        set => *Pointer(number) = value;
    }

    public ulong Rax { get => this[0]; set => this[0] = value; }

    public ulong Rcx { get => this[1]; set => this[1] = value; }

    public ulong Rdx { get => this[2]; set => this[2] = value; }

    public ulong Rbx { get => this[3]; set => this[3] = value; }

    public ulong Rsp { get => this[4]; set => this[4] = value; }

    public ulong Rbp { get => this[5]; set => this[5] = value; }

    public ulong Rsi { get => this[6]; set => this[6] = value; }

    public ulong Rdi { get => this[7]; set => this[7] = value; }

    /// <summary>Base of FS.</summary>
    public ulong FsBase
    {
        get => *Registers.Pointer(_state, CpuState.FsBaseRegister);
        set
        {
            *Registers.Pointer(_state, CpuState.FsBaseRegister) = value;
            _state->Segments[SegmentWindows.Fs].Base = value;
        }
    }

    /// <summary>Base of GS.</summary>
    public ulong GsBase
    {
        get => *Registers.Pointer(_state, CpuState.GsBaseRegister);
        set
        {
            *Registers.Pointer(_state, CpuState.GsBaseRegister) = value;
            _state->Segments[SegmentWindows.Gs].Base = value;
        }
    }

    // Every flag that software can store besides the six status flags.
    private const ulong SystemFlagBits = (ulong)(RFlags.Trap | RFlags.InterruptEnable | RFlags.Direction | RFlags.IoPrivilege
        | RFlags.NestedTask | RFlags.Resume | RFlags.Virtual8086 | RFlags.AlignmentCheck | RFlags.VirtualInterrupt
        | RFlags.VirtualInterruptPending | RFlags.Identification);

    /// <summary>Reads any general-purpose register, zero-extended.</summary>
    public ulong Read(Register register)
    {
        byte* pointer = (byte*)_state + RegisterOffsets.Of(register);
        return register.GetSize() switch
        {
            1 => *pointer,
            2 => *(ushort*)pointer,
            4 => *(uint*)pointer,
            _ => *(ulong*)pointer,
        };
    }

    /// <summary>Writes any general-purpose register: 32-bit writes clear the upper half, narrower ones leave the rest.</summary>
    public void Write(Register register, ulong value)
    {
        byte offset = RegisterOffsets.Of(register);
        switch (register.GetSize())
        {
            case 1: W8.SetRegister(_state, offset, value); break;
            case 2: W16.SetRegister(_state, offset, value); break;
            case 4: W32.SetRegister(_state, offset, value); break;
            default: W64.SetRegister(_state, offset, value); break;
        }
    }

    private ulong* Pointer(int number)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)number, 15u, nameof(number));
        return Registers.Pointer(_state, (byte)(number * 8));
    }
}
