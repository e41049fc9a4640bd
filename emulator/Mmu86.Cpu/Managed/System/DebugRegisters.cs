using Iced.Intel;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>MOV to and from debug registers. What they watch is the affair of <see cref="Breakpoints"/>. SDM 3, "Debug Registers".</summary>
internal static class DebugRegisters
{
    /// <summary>DR6.BD: a debug register was accessed while DR7.GD=1.</summary>
    public const ulong AccessDetected = 1UL << 13;

    /// <summary>DR6.BS: a single step.</summary>
    public const ulong SingleStep = 1UL << 14;

    /// <summary>DR6.BT: a task switch to a TSS whose T flag is set.</summary>
    public const ulong TaskSwitch = 1UL << 15;

    /// <summary>DR7.GD.</summary>
    public const ulong GeneralDetect = 1UL << 13;

    // Bits that software sets and clears; of the others those that always read as one.
    private const ulong Dr6Writable = 0xE00F;
    private const ulong Dr6Ones = 0xFFFF_0FF0;
    private const ulong Dr7Writable = 0xFFFF_23FF;
    private const ulong Dr7Ones = 0x400;

    /// <summary>DR6.B0 to B3.</summary>
    public const ulong Matched = 0xF;

    /// <summary>A debug exception is about to be delivered. Only B0 to B3 are of this one alone; the rest is software's to clear.</summary>
    public static void Report(SystemState system, ulong causes) => system.Dr6 = (system.Dr6 & ~Matched) | causes;

    /// <summary>MOV DRn, r64 and MOV r64, DRn.</summary>
    public static ManagedOutcome Move(Vcpu vcpu, in Instruction instruction)
    {
        bool isWrite = instruction.Op0Register.IsDR();
        Register register = isWrite ? instruction.Op0Register : instruction.Op1Register;
        if (!TryNumber(vcpu, register, out int number))
            return Raise.InvalidOpcode(vcpu);
        if (vcpu.System.Cpl != 0)
            return Raise.GeneralProtection(vcpu, 0);
        if ((vcpu.System.Dr7 & GeneralDetect) != 0)
        {
            Report(vcpu.System, AccessDetected);
            return Raise.Exception(vcpu, ExceptionVector.Debug, 0);
        }

        if (!isWrite)
        {
            vcpu.Registers.Write(instruction.Op0Register, Read(vcpu.System, number));
            return ManagedOutcome.Next;
        }

        ulong value = vcpu.Registers.Read(instruction.Op1Register);
        if (number >= 6 && value > uint.MaxValue)
            return Raise.GeneralProtection(vcpu, 0);
        Write(vcpu.System, number, value);
        vcpu.ModeChanged();
        return ManagedOutcome.EndBlock;
    }

    // DR4 and DR5 are other names of DR6 and DR7, unless debugging extensions are on; DR8 to DR15 do not exist.
    private static bool TryNumber(Vcpu vcpu, Register register, out int number)
    {
        number = register.GetNumber();
        if (number is 4 or 5)
        {
            number += 2;
            return (vcpu.System.Cr4 & Cr4.DebuggingExtensions) == 0;
        }

        return number < 8;
    }

    private static ulong Read(SystemState system, int number) => number switch
    {
        6 => system.Dr6,
        7 => system.Dr7,
        _ => system.BreakpointAddresses[number],
    };

    private static void Write(SystemState system, int number, ulong value)
    {
        switch (number)
        {
            case 6:
                system.Dr6 = (value & Dr6Writable) | Dr6Ones;
                break;
            case 7:
                system.Dr7 = (value & Dr7Writable) | Dr7Ones;
                break;
            default:
                system.BreakpointAddresses[number] = value;
                break;
        }
    }
}
