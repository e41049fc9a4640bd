using Mmu86.Paging;

namespace Mmu86.Cpu;

/// <summary>The stack as managed instructions use it, in every mode: RSP, ESP or SP, in SS. SDM 1, "Procedure Stack".</summary>
/// <remarks>Offsets are in SS, as wide as the stack pointer. Nothing here moves the stack pointer but <see cref="SetPointer"/>.</remarks>
internal static unsafe class StackAccess
{
    /// <summary>The stack pointer.</summary>
    public static ulong Pointer(Vcpu vcpu) => vcpu.Registers.Rsp & vcpu.State->StackMask;

    /// <summary>Sets the stack pointer; SP leaves the rest of ESP alone.</summary>
    public static void SetPointer(Vcpu vcpu, ulong offset)
    {
        CpuState* s = vcpu.State;
        vcpu.Registers.Rsp = (((vcpu.Registers.Rsp & ~s->StackMask) | (offset & s->StackMask))) & ~s->AbsentAddressBits;
    }

    /// <summary>An offset so many bytes further up, wrapping at the width of the stack pointer.</summary>
    public static ulong Up(Vcpu vcpu, ulong offset, int bytes) => (offset + (ulong)bytes) & vcpu.State->StackMask;

    /// <summary>An offset so many bytes further down.</summary>
    public static ulong Down(Vcpu vcpu, ulong offset, int bytes) => (offset - (ulong)bytes) & vcpu.State->StackMask;

    /// <summary>Where an access in SS goes; <see cref="Segmentation.Refused"/> where SS refuses it.</summary>
    public static ulong Address(Vcpu vcpu, ulong offset, int size, AccessKind kind) =>
        Segmentation.Linear(vcpu.State, SegmentWindows.Ss, offset, (uint)size, kind);

    /// <summary>Loads 2, 4 or 8 bytes of the stack.</summary>
    /// <returns>False where it faulted.</returns>
    public static bool TryLoad(Vcpu vcpu, ulong offset, int size, out ulong value) =>
        Operands.TryLoad(vcpu, Address(vcpu, offset, size, AccessKind.Read), size, isStack: true, out value);

    /// <summary>Stores 2, 4 or 8 bytes of the stack.</summary>
    /// <returns>False where it faulted.</returns>
    public static bool TryStore(Vcpu vcpu, ulong offset, int size, ulong value) =>
        Operands.TryStore(vcpu, Address(vcpu, offset, size, AccessKind.Write), size, isStack: true, value);

    /// <summary>Loads 2, 4 or 8 bytes and moves an offset past them.</summary>
    /// <returns>False where it faulted.</returns>
    public static bool TryPop(Vcpu vcpu, ref ulong offset, int size, out ulong value)
    {
        if (!TryLoad(vcpu, offset, size, out value))
            return false;
        offset = Up(vcpu, offset, size);
        return true;
    }

    /// <summary>Moves an offset down and stores 2, 4 or 8 bytes there, at once.</summary>
    /// <returns>False where it faulted.</returns>
    public static bool TryPush(Vcpu vcpu, ref ulong offset, int size, ulong value)
    {
        offset = Down(vcpu, offset, size);
        return TryStore(vcpu, offset, size, value);
    }
}
