using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Protection;

/// <content>Task switches.</content>
internal static partial class ProbeList
{
    private static IEnumerable<Probe> Tasks()
    {
        foreach ((string name, ushort selector, byte opcode) in new (string, ushort, byte)[]
        {
            ("jmp to a 32-bit TSS", ProbeLayout.Other, 0xEA),
            ("call to a 32-bit TSS", ProbeLayout.Other, 0x9A),
            ("jmp to a 16-bit TSS", ProbeLayout.Narrow, 0xEA),
            ("call to a 16-bit TSS", ProbeLayout.Narrow, 0x9A),
            ("jmp to a busy TSS", ProbeLayout.Main, 0xEA),
            ("call with a higher RPL", ProbeLayout.Other | 1, 0x9A),
        })
        {
            yield return new Probe(name, w => Transfer(w.Code, opcode, selector, 0));
        }

        yield return new Probe("task gate in the GDT", w =>
        {
            w.Descriptor(ProbeLayout.Free, ProbeTables.Gate(0xE5, ProbeLayout.Other, 0));
            w.EnterUser(Far);
            w.Part(32, Far, c => Transfer(c, 0x9A, ProbeLayout.Free | 3, 0));
        });
        yield return new Probe("int through a task gate", w => w.Code.@int(32));
        yield return new Probe("call and back: NT, link, busy bits, what was saved", w =>
        {
            w.Put32(ProbeLayout.OtherTss + 0x20, w.At(Far));
            w.Code.mov(edx, 0x77);
            Transfer(w.Code, 0x9A, ProbeLayout.Other, 0);
            w.Code.mov(eax, __dword_ptr[ProbeLayout.Gdt + ProbeLayout.Other + 4]);
            w.Code.add(eax, __dword_ptr[ProbeLayout.OtherTss + 0x24]);
            w.Code.add(eax, __dword_ptr[ProbeLayout.Scratch]);
            w.Code.mov(ebx, __dword_ptr[ProbeLayout.MainTss + 0x20]);
            w.Code.add(ebx, edx);
            ProbeWriter.Finish(w.Code);
            w.Part(32, Far, c =>
            {
                c.pushfd();
                c.pop(eax);
                c.add(eax, __dword_ptr[ProbeLayout.OtherTss]);
                c.mov(__dword_ptr[ProbeLayout.Scratch], eax);
                c.iretd();
            });
        });
        yield return new Probe("iret with NT to a task that is not busy", w =>
        {
            w.Put32(ProbeLayout.MainTss, ProbeLayout.Other);
            w.Code.push(NestedTask | 2);
            w.Code.popfd();
            w.Code.iretd();
        });
        yield return new Probe("task switch sets TS and clears local breakpoints", w =>
        {
            w.Code.mov(eax, 0x7FF);
            w.Code.mov(dr7, eax);
            w.Put32(ProbeLayout.OtherTss + 0x20, w.At(Far));
            Transfer(w.Code, 0xEA, ProbeLayout.Other, 0);
            w.Part(32, Far, c =>
            {
                c.mov(eax, cr0);
                c.and(eax, 0xF);
                c.mov(ebx, dr7);
                ProbeWriter.Finish(c);
            });
        });
        yield return new Probe("debug trap of the T flag", w =>
        {
            w.Put32(ProbeLayout.OtherTss + 0x64, 1);
            Transfer(w.Code, 0xEA, ProbeLayout.Other, 0);
        });
        (string Name, uint Offset, uint Value)[] wrong =
        [
            ("LDT of another type", 0x60, ProbeLayout.Other),
            ("LDT selector in the LDT", 0x60, 0xC),
            ("null CS", 0x4C, 0),
            ("data CS", 0x4C, ProbeLayout.Data),
            ("absent CS", 0x4C, ProbeLayout.Free),
            ("CS of another DPL", 0x4C, ProbeLayout.UserCode & ~3u),
            ("SS of another DPL", 0x50, ProbeLayout.UserData),
            ("null SS", 0x50, 0),
            ("absent SS", 0x50, ProbeLayout.Free + 8),
            ("absent DS", 0x54, ProbeLayout.Free + 8),
            ("execute-only ES", 0x48, ProbeLayout.Free + 16),
            ("FS outside", 0x58, 0x200),
            ("EIP past the limit", 0x4C, ProbeLayout.CodeBased),
        ];
        foreach ((string name, uint offset, uint value) in wrong)
        {
            yield return new Probe($"task with {name}", w =>
            {
                w.Vector(10, ProbeTables.Gate(0x85, ProbeLayout.Task, 0));
                w.Vector(11, ProbeTables.Gate(0x85, ProbeLayout.Task, 0));
                w.Vector(12, ProbeTables.Gate(0x85, ProbeLayout.Task, 0));
                w.Vector(13, ProbeTables.Gate(0x85, ProbeLayout.Task, 0));
                w.Put32(ProbeLayout.TaskTss + 0x20, w.At(Far + 0x20));
                w.Descriptor(ProbeLayout.Free, 0x00CF_1A00_0000_FFFF);
                w.Put32(ProbeLayout.Gdt + ProbeLayout.Free + 8, 0xFFFF);
                w.Put32(ProbeLayout.Gdt + ProbeLayout.Free + 12, 0x00CF_1200);
                w.Put32(ProbeLayout.Gdt + ProbeLayout.Free + 20, 0x00CF_9800);
                w.Put32(ProbeLayout.OtherTss + offset, value);
                Transfer(w.Code, 0xEA, ProbeLayout.Other, 0);

                // The handler's task shows the error code, and whose task it interrupted.
                w.Part(32, Far + 0x20, c =>
                {
                    c.pop(eax);
                    c.movzx(ebx, __word_ptr[ProbeLayout.TaskTss]);
                    ProbeWriter.Finish(c);
                });
            });
        }

        yield return new Probe("TSS too short", w =>
        {
            w.Descriptor(ProbeLayout.Free, ProbeTables.System(0x89, ProbeLayout.OtherTss, 0x66));
            Transfer(w.Code, 0xEA, ProbeLayout.Free, 0);
        });
        yield return new Probe("absent TSS", w =>
        {
            w.Descriptor(ProbeLayout.Free, ProbeTables.System(0x09, ProbeLayout.OtherTss, 0x67));
            Transfer(w.Code, 0xEA, ProbeLayout.Free, 0);
        });
        yield return new Probe("task in virtual-8086 mode", w =>
        {
            w.Put32(ProbeLayout.OtherTss + 0x24, 0x2_0002 | IoPrivilege3);
            w.Put32(ProbeLayout.OtherTss + 0x20, Far);
            w.Put32(ProbeLayout.OtherTss + 0x4C, w.Paragraph);
            w.Put32(ProbeLayout.OtherTss + 0x38, 0x100);
            Transfer(w.Code, 0xEA, ProbeLayout.Other, 0);
            w.Part(16, Far, c => c.@int(34));
        });
    }
}
