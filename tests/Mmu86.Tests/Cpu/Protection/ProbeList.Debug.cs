using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Protection;

/// <content>Debug registers, and what puts debug exceptions off.</content>
internal static partial class ProbeList
{
    // Vector 1 shows DR6 in EAX and, shifted, DR7.GD in EBX; the frame's EIP is in ECX.
    private static void ShowDr6(ProbeWriter w)
    {
        w.Vector(1, ProbeTables.Gate(0x8E, ProbeLayout.Code, w.At(Farther)));
        w.Code.mov(eax, unchecked((int)0xFFFF_0FF0));
        w.Code.mov(dr6, eax);
        w.Part(32, Farther, c =>
        {
            c.pop(ecx);
            c.mov(eax, dr6);
            c.shl(eax, 16);
            c.mov(ax, cx);
            c.mov(ebx, dr7);
            ProbeWriter.Finish(c);
        });
    }

    private static void Watch(ProbeWriter w, uint address, uint control)
    {
        w.Code.mov(eax, address);
        w.Code.mov(dr0, eax);
        w.Code.mov(eax, control);
        w.Code.mov(dr7, eax);
    }

    private static IEnumerable<Probe> DebugExceptions()
    {
        const uint Word = ProbeLayout.Scratch + 0x10;
        const uint ReadsOfADoubleword = 0x000F_0402, WritesOfADoubleword = 0x000D_0402, Instruction = 0x402, Port = 0x0002_0402, Detect = 0x2400;
        yield return new Probe("int1", w =>
        {
            ShowDr6(w);
            w.Code.db(0xF1);
        });
        yield return new Probe("single step, DR6", w =>
        {
            ShowDr6(w);
            w.Code.push(0x102);
            w.Code.popfd();
            w.Code.nop();
        });
        yield return new Probe("single step into int 34", w =>
        {
            w.Code.push(0x102);
            w.Code.popfd();
            w.Code.@int(34);
        });
        yield return new Probe("single step over rep movsb", w =>
        {
            // The frame is not shown: Bochs does not set its RF between elements, as the manual says.
            ShowDr6(w);
            w.Code.mov(ecx, 3);
            w.Code.mov(esi, Word);
            w.Code.mov(edi, Word + 16);
            w.Code.push(0x102);
            w.Code.popfd();
            w.Code.rep.movsb();
        });
        yield return new Probe("single step over popfd that clears TF", w =>
        {
            w.Code.push(2);
            w.Code.push(0x102);
            w.Code.popfd();
            w.Code.popfd();
            w.Code.nop();
            ProbeWriter.Finish(w.Code);
        });
        yield return new Probe("data breakpoint on what mov ss reads", w =>
        {
            ShowDr6(w);
            w.Put32(Word, ProbeLayout.Data);
            Watch(w, Word, ReadsOfADoubleword);
            w.Code.mov(ss, __[Word]);
            w.Code.nop();
            w.Code.nop();
        });
        yield return new Probe("code breakpoint behind mov ss", w =>
        {
            ShowDr6(w);
            Watch(w, w.At(Far) + 2, Instruction);
            w.Code.mov(eax, ProbeLayout.Data);
            w.Code.jmp(w.At(Far));
            w.Part(32, Far, c =>
            {
                c.mov(ss, eax);
                c.nop();
                c.nop();
                ProbeWriter.Finish(c);
            });
        });
        yield return new Probe("data breakpoint of rep stosd", w =>
        {
            ShowDr6(w);
            Watch(w, Word + 4, WritesOfADoubleword);
            w.Code.mov(ecx, 4);
            w.Code.mov(edi, Word);
            w.Code.rep.stosd();
            w.Code.nop();
        });
        yield return new Probe("data breakpoint of a push", w =>
        {
            ShowDr6(w);
            Watch(w, ProbeLayout.Stack - 8, WritesOfADoubleword);
            w.Code.push(1);
            w.Code.push(2);
            w.Code.push(3);
        });
        yield return new Probe("data breakpoint of writes, on a read", w =>
        {
            ShowDr6(w);
            Watch(w, Word, WritesOfADoubleword);
            w.Code.mov(eax, __dword_ptr[Word]);
            w.Code.add(__dword_ptr[Word], 1);
            w.Code.nop();
        });
        yield return new Probe("code breakpoint, DR6, and iretd with RF", w =>
        {
            Watch(w, w.At(Far), Instruction);
            w.Code.push(0x1_0002);
            w.Code.push(ProbeLayout.Code);
            w.Code.push((int)w.At(Far));
            w.Code.iretd();
            w.Part(32, Far, c =>
            {
                c.inc(ebx);
                c.jmp(w.At(Far));
            });
        });
        yield return new Probe("port breakpoint", w =>
        {
            ShowDr6(w);
            w.Code.mov(eax, 8);
            w.Code.mov(cr4, eax);
            Watch(w, 0x70, Port);
            w.Code.@in(al, 0x71);
            w.Code.@in(al, 0x70);
            w.Code.nop();
        });
        yield return new Probe("general detect", w =>
        {
            ShowDr6(w);
            w.Code.mov(eax, Detect);
            w.Code.mov(dr7, eax);
            w.Code.mov(eax, dr0);
        });
        yield return new Probe("DR4 is DR6", w =>
        {
            w.Code.mov(eax, 0xE00F);
            w.Code.mov(dr4, eax);
            w.Code.mov(eax, dr6);
            ProbeWriter.Finish(w.Code);
        });
        yield return new Probe("DR5 with CR4.DE", w =>
        {
            w.Code.mov(eax, 8);
            w.Code.mov(cr4, eax);
            w.Code.mov(eax, dr5);
        });
        yield return new Probe("mov to dr7 at level 3", w =>
        {
            w.EnterUser(Far);
            w.Part(32, Far, c => c.mov(dr7, eax));
        });
    }
}
