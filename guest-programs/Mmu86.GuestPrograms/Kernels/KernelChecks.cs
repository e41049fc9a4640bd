using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>A kernel's verdicts: a line for each check, <c>ok</c> or what was found instead, and at the end how many failed.</summary>
internal sealed class KernelChecks
{
    private const string Right = ": ok\n";
    private const string Summary = " checks failed\n";

    private readonly GuestAssembler _guest;
    private readonly List<string> _claims = [];
    private readonly ulong _found;
    private readonly ulong _failures;
    private Label _verdict;

    public KernelChecks(GuestAssembler guest)
    {
        _guest = guest;
        _found = guest.Reserve("found", 8, 8);
        _failures = guest.Reserve("failures", 8, 8);
        _verdict = guest.Code.CreateLabel();
    }

    /// <summary>What is printed if every claim holds.</summary>
    public string OutputIfRight => string.Concat(_claims.Select(claim => claim + Right)) + "0" + Summary;

    /// <summary>Emits the check that RAX is as expected. Changes RAX, RCX, RDX, RSI, RDI and R11.</summary>
    public void Expect(string claim, ulong expected)
    {
        Assembler c = _guest.Code;
        _claims.Add(claim);
        c.mov(__qword_ptr[_found], rax);
        _guest.Print(claim);
        _guest.Load(rcx, expected);
        c.call(_verdict);
    }

    /// <summary>Emits the summary and the end: status 0, or 1 where a check failed.</summary>
    public void EmitFinish()
    {
        Assembler c = _guest.Code;
        Label right = c.CreateLabel();
        c.mov(rax, __qword_ptr[_failures]);
        _guest.PrintDecimal();
        _guest.Print(Summary);
        c.xor(eax, eax);
        c.cmp(__qword_ptr[_failures], 0);
        c.setne(al);
        _guest.ExitWithStatus();

        _guest.BeginFunction("verdict", ref _verdict);
        c.cmp(rcx, __[_found]);
        c.je(right);
        c.inc(__qword_ptr[_failures]);
        _guest.Print(": wrong, found ");
        c.mov(rax, __qword_ptr[_found]);
        _guest.PrintDecimal();
        _guest.Print("\n");
        c.ret();
        c.Label(ref right);
        _guest.Print(Right);
        c.ret();
    }
}
