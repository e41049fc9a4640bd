using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The handler of one interrupt of a 64-bit kernel, which counts how often it came.</summary>
internal sealed class InterruptCount
{
    private readonly GuestAssembler _guest;
    private readonly string _name;
    private readonly ulong _count;
    private Label _handler;

    public InterruptCount(GuestAssembler guest, string name)
    {
        _guest = guest;
        _name = name;
        _count = guest.Reserve(name, 8, 8);
        _handler = guest.Code.CreateLabel();
    }

    /// <summary>Emits what leads a vector to the handler. Changes RAX, RDX and RDI.</summary>
    public void EmitGate(KernelSupport kernel, int vector) => kernel.EmitInterruptGate(vector, _handler);

    /// <summary>Emits a wait by HLT until the interrupt came so often. Interrupts are off behind it.</summary>
    public void EmitWaitFor(int count)
    {
        Assembler c = _guest.Code;
        Label wait = c.CreateLabel(), done = c.CreateLabel();
        c.Label(ref wait);
        c.cli();
        c.cmp(__qword_ptr[_count], count);
        c.jae(done);
        c.sti();
        c.hlt();
        c.jmp(wait);
        c.Label(ref done);
    }

    /// <summary>Emits a load of the count to RAX.</summary>
    public void EmitRead() => _guest.Code.mov(rax, __qword_ptr[_count]);

    /// <summary>Emits the handler.</summary>
    /// <param name="emitEnd">Emits what ends the interrupt. It may change RAX, RCX and RDX.</param>
    public void EmitHandler(Action emitEnd)
    {
        Assembler c = _guest.Code;
        _guest.BeginFunction($"{_name}_handler", ref _handler);
        c.push(rax);
        c.push(rcx);
        c.push(rdx);
        c.inc(__qword_ptr[_count]);
        emitEnd();
        c.pop(rdx);
        c.pop(rcx);
        c.pop(rax);
        c.iretq();
    }
}
