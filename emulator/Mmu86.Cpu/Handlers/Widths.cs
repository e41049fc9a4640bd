using System.Runtime.CompilerServices;

namespace Mmu86.Cpu;

/// <summary>An operand size. Values travel zero-extended in 64 bits.</summary>
internal unsafe interface IWidth
{
    /// <summary>Size in bytes.</summary>
    static abstract uint Bytes { get; }

    static abstract ulong Load(byte* pointer);

    static abstract void Store(byte* pointer, ulong value);

    /// <summary>Writes a register as the size demands: 32 bits clear the upper half, 8 and 16 bits leave the rest.</summary>
    static abstract void SetRegister(CpuState* s, byte offset, ulong value);

    static abstract ulong GetRegister(CpuState* s, byte offset);

    static abstract ulong Truncate(ulong value);

    static abstract ulong SignExtend(ulong value);
}

internal readonly unsafe struct W8 : IWidth
{
    public static uint Bytes => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Load(byte* pointer) => *pointer;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* pointer, ulong value) => *pointer = (byte)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetRegister(CpuState* s, byte offset, ulong value) => *((byte*)s + offset) = (byte)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong GetRegister(CpuState* s, byte offset) => *((byte*)s + offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Truncate(ulong value) => (byte)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong SignExtend(ulong value) => (ulong)(sbyte)value;
}

internal readonly unsafe struct W16 : IWidth
{
    public static uint Bytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Load(byte* pointer) => *(ushort*)pointer;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* pointer, ulong value) => *(ushort*)pointer = (ushort)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetRegister(CpuState* s, byte offset, ulong value) => *(ushort*)((byte*)s + offset) = (ushort)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong GetRegister(CpuState* s, byte offset) => *(ushort*)((byte*)s + offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Truncate(ulong value) => (ushort)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong SignExtend(ulong value) => (ulong)(short)value;
}

internal readonly unsafe struct W32 : IWidth
{
    public static uint Bytes => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Load(byte* pointer) => *(uint*)pointer;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* pointer, ulong value) => *(uint*)pointer = (uint)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetRegister(CpuState* s, byte offset, ulong value) => *(ulong*)((byte*)s + offset) = (uint)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong GetRegister(CpuState* s, byte offset) => *(uint*)((byte*)s + offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Truncate(ulong value) => (uint)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong SignExtend(ulong value) => (ulong)(int)value;
}

internal readonly unsafe struct W64 : IWidth
{
    public static uint Bytes => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Load(byte* pointer) => *(ulong*)pointer;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* pointer, ulong value) => *(ulong*)pointer = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void SetRegister(CpuState* s, byte offset, ulong value) => *(ulong*)((byte*)s + offset) = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong GetRegister(CpuState* s, byte offset) => *(ulong*)((byte*)s + offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Truncate(ulong value) => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong SignExtend(ulong value) => value;
}
