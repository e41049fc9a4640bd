using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Protection;

/// <content>Interrupts, exceptions and debug exceptions.</content>
internal static partial class ProbeList
{
    private static IEnumerable<Probe> Interrupts()
    {
        yield return new Probe("trap gate keeps IF", w =>
        {
            w.Vector(35, ProbeTables.Gate(0x8F, ProbeLayout.Code, w.At(Far)));
            w.Code.mov(eax, 0);
            w.Code.@int(35);
            w.Part(32, Far, c =>
            {
                c.pushfd();
                c.pop(eax);
                c.and(eax, 0x700);
                ProbeWriter.Finish(c);
            });
        });
        yield return new Probe("16-bit interrupt gate", w =>
        {
            w.Vector(35, ProbeTables.Gate(0x86, ProbeLayout.CodeBased, w.At(Far) - ProbeLayout.Image));
            w.Code.@int(35);
            w.Part(32, Far, c =>
            {
                c.mov(eax, __dword_ptr[esp]);
                c.mov(ebx, __dword_ptr[esp + 2]);
                ProbeWriter.Finish(c);
            });
        });
        yield return new Probe("16-bit gate from level 3", w =>
        {
            w.Vector(35, ProbeTables.Gate(0xE6, ProbeLayout.CodeBased, w.At(Farther) - ProbeLayout.Image));
            w.EnterUser(Far);
            w.Part(32, Far, c => c.@int(35));
            w.Part(32, Farther, c =>
            {
                c.mov(eax, __dword_ptr[esp + 2]);
                c.mov(ebx, __dword_ptr[esp + 6]);
                ProbeWriter.Finish(c);
            });
        });
        (string Name, ulong Gate)[] gates =
        [
            ("absent", ProbeTables.Gate(0x6E, ProbeLayout.Code, 0)),
            ("a call gate", ProbeTables.Gate(0xEC, ProbeLayout.Code, 0)),
            ("null CS", ProbeTables.Gate(0xEE, 0, 0)),
            ("data CS", ProbeTables.Gate(0xEE, ProbeLayout.Data, 0)),
            ("outer CS", ProbeTables.Gate(0xEE, ProbeLayout.UserCode, 0)),
            ("absent CS", ProbeTables.Gate(0xEE, ProbeLayout.Free, 0)),
            ("CS outside", ProbeTables.Gate(0xEE, 0x108, 0)),
            ("past the limit", ProbeTables.Gate(0xEE, ProbeLayout.CodeBased, 0x1_0000)),
        ];
        foreach ((string name, ulong gate) in gates)
        {
            yield return new Probe($"int through a gate, {name}", w =>
            {
                w.Descriptor(ProbeLayout.Free, 0x00CF_1A00_0000_FFFF);
                w.Vector(35, gate);
                w.Code.@int(35);
            });
            yield return new Probe($"#UD through a gate, {name}", w =>
            {
                w.Descriptor(ProbeLayout.Free, 0x00CF_1A00_0000_FFFF);
                w.Vector(6, gate);
                w.Code.ud2();
            });
        }

        yield return new Probe("int of a gate of level 0 at level 3", w =>
        {
            w.EnterUser(Far);
            w.Part(32, Far, c => c.@int(13));
        });
        yield return new Probe("int outside the IDT", w => w.Code.@int(200));
        yield return new Probe("into", w =>
        {
            w.Vector(4, ProbeTables.Gate(0xEE, ProbeLayout.Code, ProbeLayout.Stubs + (4 * 16)));
            w.Code.mov(al, 0x7F);
            w.Code.add(al, 1);
            w.Code.into();
        });
        yield return new Probe("inner stack: bad SS, then double fault", w =>
        {
            w.Put32(ProbeLayout.MainTss + 8, ProbeLayout.UserData);
            w.EnterUser(Far);
            w.Part(32, Far, c => c.@int(34));
        });
        yield return new Probe("double fault through its task gate", w =>
        {
            w.Vector(13, ProbeTables.Gate(0x0E, ProbeLayout.Code, 0));
            Transfer(w.Code, 0xEA, ProbeLayout.Data, 0);
        });
        yield return new Probe("single step", w =>
        {
            w.Code.push(0x102);
            w.Code.popfd();
            w.Code.nop();
            w.Code.nop();
        });
        yield return new Probe("single step across mov ss", w =>
        {
            w.Code.mov(eax, ProbeLayout.Data);
            w.Code.push(0x102);
            w.Code.popfd();
            w.Code.mov(ss, eax);
            w.Code.nop();
            w.Code.nop();
        });
        yield return new Probe("code breakpoint", w =>
        {
            w.Code.mov(eax, w.At(Far) + 1);
            w.Code.mov(dr0, eax);
            w.Code.mov(eax, 0x402);
            w.Code.mov(dr7, eax);
            w.Code.jmp(w.At(Far));
            w.Part(32, Far, c =>
            {
                c.nop();
                c.nop();
            });
        });
        yield return new Probe("data breakpoint", w =>
        {
            w.Code.mov(eax, ProbeLayout.Scratch + 0x10);
            w.Code.mov(dr1, eax);
            w.Code.mov(eax, 0x00D0_0408);
            w.Code.mov(dr7, eax);
            w.Code.mov(__dword_ptr[ProbeLayout.Scratch + 0xC], eax);
            w.Code.mov(__word_ptr[ProbeLayout.Scratch + 0x13], ax);
            w.Code.nop();
        });
    }
}
