using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The services of a guest that depend on who is below it: printing and ending.</summary>
internal abstract class GuestRuntime(GuestAssembler guest)
{
    private Label _print = guest.Code.CreateLabel("print");
    private Label _printDecimal = guest.Code.CreateLabel("print_decimal");
    private Label _printHexadecimal = guest.Code.CreateLabel("print_hexadecimal");
    private bool _prints;
    private bool _printsDecimals;
    private bool _printsHexadecimals;

    protected GuestAssembler Guest { get; } = guest;

    /// <summary>Calls the function that prints RDX bytes (at least one) at RSI.</summary>
    public void CallPrint()
    {
        _prints = true;
        Guest.Code.call(_print);
    }

    /// <summary>Calls the function that prints RAX in decimal.</summary>
    public void CallPrintDecimal()
    {
        _prints = _printsDecimals = true;
        Guest.Code.call(_printDecimal);
    }

    /// <summary>Calls the function that prints RAX as 16 hexadecimal digits.</summary>
    public void CallPrintHexadecimal()
    {
        _prints = _printsHexadecimals = true;
        Guest.Code.call(_printHexadecimal);
    }

    /// <summary>Emits what ends the guest with the status in EAX.</summary>
    public abstract void Exit();

    /// <summary>Emits what makes reserved pages executable. May change RAX, RCX, RDX, RSI, RDI and R11.</summary>
    public abstract void MakeExecutable(ulong address, ulong bytes);

    /// <summary>Emits the functions that were called. Comes last.</summary>
    public void EmitFunctions()
    {
        if (_printsDecimals)
            EmitPrintDecimal();
        if (_printsHexadecimals)
            EmitPrintHexadecimal();
        if (!_prints)
            return;

        Guest.BeginFunction("print", ref _print);
        EmitPrint();
    }

    /// <summary>Emits the body of the function that prints RDX bytes at RSI. It may change RAX, RCX, RDX, RSI, RDI and R11.</summary>
    protected abstract void EmitPrint();

    private void EmitPrintDecimal()
    {
        const int BufferSize = 32;
        Assembler c = Guest.Code;
        Label next = c.CreateLabel();
        Guest.BeginFunction("print_decimal", ref _printDecimal);
        c.sub(rsp, BufferSize);
        c.lea(rsi, __[rsp + BufferSize]);
        c.mov(ecx, 10);
        c.Label(ref next);
        c.xor(edx, edx);
        c.div(rcx);
        c.add(dl, (byte)'0');
        c.dec(rsi);
        c.mov(__[rsi], dl);
        c.test(rax, rax);
        c.jnz(next);
        c.lea(rdx, __[rsp + BufferSize]);
        c.sub(rdx, rsi);
        c.call(_print);
        c.add(rsp, BufferSize);
        c.ret();
    }

    private void EmitPrintHexadecimal()
    {
        const int Digits = 16, BitsPerDigit = 4;
        Assembler c = Guest.Code;
        Label next = c.CreateLabel();
        ulong digits = Guest.AddData("", "0123456789abcdef"u8, 1);
        Guest.BeginFunction("print_hexadecimal", ref _printHexadecimal);
        c.sub(rsp, Digits);
        c.mov(rsi, rsp);
        c.mov(edx, Digits);
        c.xor(ecx, ecx);
        c.Label(ref next);
        c.rol(rax, BitsPerDigit);
        c.mov(edi, eax);
        c.and(edi, 15);
        c.mov(dil, __[rdi + (int)digits]);
        c.mov(__[rsi + rcx], dil);
        c.inc(ecx);
        c.cmp(ecx, edx);
        c.jb(next);
        c.call(_print);
        c.add(rsp, Digits);
        c.ret();
    }
}
