using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Bench.Silicon;

/// <summary>The measured loops of the guests as functions of this process, and one whose cycles are known.</summary>
internal sealed unsafe class NativeCode : IDisposable
{
    /// <summary>Cycles of a turn of <see cref="Count"/>: so many multiplications, each of which waits 3 cycles for the last, on every core with a preset.</summary>
    public const int CyclesOfATurn = 3 * Multiplications;

    private const int Multiplications = 16;
    private const int FunctionBytes = 256;

    private readonly NativePages _pages = new(4096, isHuge: false);

    /// <summary>Assembles them.</summary>
    public NativeCode()
    {
        Chase = (delegate* unmanaged<nint, ulong, void>)Place(0, c =>
        {
            Label step = c.CreateLabel();
            c.mov(rax, rdi);
            c.Label(ref step);
            c.mov(rax, __[rax]);
            c.dec(rsi);
            c.jnz(step);
            c.ret();
        });
        Chain = (delegate* unmanaged<nint, ulong, void>)Place(1, c =>
        {
            Label end = c.CreateLabel();
            c.push(rbx);
            c.push(rbp);
            c.mov(rbx, rdi);
            c.mov(rcx, rsi);
            c.lea(rbp, __[end]);
            c.jmp(rbx);
            c.Label(ref end);
            c.pop(rbp);
            c.pop(rbx);
            c.ret();
        });
        Count = (delegate* unmanaged<nint, ulong, void>)Place(2, c =>
        {
            Label turn = c.CreateLabel();
            c.mov(rax, rdi);
            c.Label(ref turn);
            for (int i = 0; i < Multiplications; i++)
                c.imul(rax, rax);
            c.dec(rsi);
            c.jnz(turn);
            c.ret();
        });
        _pages.MakeExecutable();
    }

    /// <summary>Follows pointers from the first argument, so many steps.</summary>
    public delegate* unmanaged<nint, ulong, void> Chase { get; }

    /// <summary>Runs through a chain of jumps that begins at the first argument, so many rounds.</summary>
    public delegate* unmanaged<nint, ulong, void> Chain { get; }

    /// <summary>Takes <see cref="CyclesOfATurn"/> cycles a turn; the first argument is any number.</summary>
    public delegate* unmanaged<nint, ulong, void> Count { get; }

    /// <inheritdoc/>
    public void Dispose() => _pages.Dispose();

    private nint Place(int position, Action<Assembler> write)
    {
        var assembler = new Assembler(64);
        write(assembler);
        byte* at = _pages.Start + (position * FunctionBytes);
        var bytes = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(bytes), (ulong)at);
        bytes.ToArray().CopyTo(new Span<byte>(at, FunctionBytes));
        return (nint)at;
    }
}
