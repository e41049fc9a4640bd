namespace Mmu86.Cpu;

/// <summary>Shortens function pointers of handlers: from the runtime's stub to the compiled code behind it.</summary>
/// <remarks>
/// The address of a method that was not compiled yet is a stub, <c>jmp [rip+disp]</c>, whose target word the runtime replaces
/// when it has compiled the method on the first call. Handlers are never compiled again (AggressiveOptimization), so once
/// the word leads out of the stub it is final, and ops may hold it directly: one jump less for each op (5 to 10 percent).
/// </remarks>
internal static unsafe class HandlerPointers
{
    // No stub of the runtime is longer.
    private const int StubBytes = 32;

    /// <summary>Follows the stub of a handler.</summary>
    /// <param name="pointer">A function pointer as the compiler gives it.</param>
    /// <param name="code">The compiled code, or the pointer itself while there is none.</param>
    /// <returns>Whether the answer is final.</returns>
    public static bool TryFollow(nint pointer, out nint code)
    {
        // SAFETY: a function pointer leads to at least one instruction of the runtime's or the JIT's; the word that a
        // RIP-relative jump reads is readable by construction.
        byte* stub = (byte*)pointer;
        code = pointer;
        if (stub[0] != 0xFF || stub[1] != 0x25)
            return true; // no stub of the known shape: call it as it is
        nint target = *(nint*)(stub + 6 + *(int*)(stub + 2));
        if (target >= pointer && target < pointer + StubBytes)
            return false;
        code = target;
        return true;
    }
}
