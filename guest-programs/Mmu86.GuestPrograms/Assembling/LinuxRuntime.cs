using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The services of a ring-3 guest: system calls of Linux for x86-64.</summary>
internal sealed class LinuxRuntime(GuestAssembler guest) : GuestRuntime(guest)
{
    private const int WriteCall = 1;
    private const int ProtectCall = 10;
    private const int ExitCall = 60;
    private const int StandardOutput = 1;
    private const int ReadAndExecute = 5;

    public override void Exit()
    {
        Assembler c = Guest.Code;
        c.mov(edi, eax);
        c.mov(eax, ExitCall);
        c.syscall();
    }

    public override void MakeExecutable(ulong address, ulong bytes)
    {
        Assembler c = Guest.Code;
        Label done = c.CreateLabel();
        c.mov(eax, ProtectCall);
        Guest.Load(rdi, address);
        Guest.Load(rsi, bytes);
        c.mov(edx, ReadAndExecute);
        c.syscall();
        c.test(rax, rax);
        c.jz(done);

        // The error's number is the status.
        c.neg(rax);
        Exit();
        c.Label(ref done);
    }

    protected override void EmitPrint()
    {
        Assembler c = Guest.Code;
        c.mov(eax, WriteCall);
        c.mov(edi, StandardOutput);
        c.syscall();
        c.ret();
    }
}
