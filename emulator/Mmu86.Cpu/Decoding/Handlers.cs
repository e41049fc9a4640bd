global using unsafe HandlerPointer = delegate*<Mmu86.Cpu.CpuState*, Mmu86.Cpu.MicroOp*, ulong, ulong, ulong, long, void>;

namespace Mmu86.Cpu;

/// <summary>Names of handler pointers.</summary>
internal static unsafe class Handlers
{
    /// <summary>The pointer as ops hold it.</summary>
    public static nint Of(HandlerPointer handler) => (nint)handler;
}
