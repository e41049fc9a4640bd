using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Protection;

/// <content>Stacks of 16 bits and with limits, conforming code, I/O maps, control registers, encodings.</content>
internal static partial class ProbeList
{
    private static void StackOf16Bits(ProbeWriter w, uint pointer)
    {
        w.Code.mov(eax, ProbeLayout.Data16);
        w.Code.mov(ss, eax);
        w.Code.mov(esp, pointer);
    }

    private static IEnumerable<Probe> Stacks()
    {
        yield return new Probe("16-bit stack keeps the upper half of ESP", w =>
        {
            StackOf16Bits(w, 0x1234_9000);
            w.Code.push(7);
            w.Code.mov(eax, esp);
            ProbeWriter.Finish(w.Code);
        });
        yield return new Probe("16-bit stack wraps", w =>
        {
            StackOf16Bits(w, 0x5555_0000);
            w.Code.push(7);
            w.Code.mov(eax, esp);
            ProbeWriter.Finish(w.Code);
        });
        yield return new Probe("16-bit stack, push across its end", w =>
        {
            StackOf16Bits(w, 2);
            w.Code.push(7);
        });
        yield return new Probe("stack below an expand-down limit", w =>
        {
            w.Vector(12, ProbeTables.Gate(0x85, ProbeLayout.Task, 0));
            w.Descriptor(ProbeLayout.Free, ProbeTables.System(0x97, 0, 0x8FFF) | (1UL << 54));
            w.Code.mov(eax, ProbeLayout.Free);
            w.Code.mov(ss, eax);
            w.Code.mov(esp, 0x9002);
            w.Code.push(1);
        });
        yield return new Probe("enter of 3 levels", w =>
        {
            w.Code.push(0x33);
            w.Code.push(0x22);
            w.Code.mov(ebp, esp);
            w.Code.enter(0x20, 3);
            w.Code.mov(eax, __dword_ptr[ebp - 4]);
            w.Code.mov(ebx, esp);
            ProbeWriter.Finish(w.Code);
        });
        yield return new Probe("enter of 2 levels on a 16-bit stack", w =>
        {
            StackOf16Bits(w, 0x7777_9000);
            w.Code.mov(ebp, 0x8888_8000);
            w.Code.enter(0x10, 2);
            w.Code.mov(eax, ebp);
            w.Code.mov(ebx, esp);
            ProbeWriter.Finish(w.Code);
        });
        yield return new Probe("leave on a 16-bit stack", w =>
        {
            StackOf16Bits(w, 0x7777_9000);
            w.Code.mov(ebp, 0x8888_8000);
            w.Code.leave();
            w.Code.mov(eax, esp);
            ProbeWriter.Finish(w.Code);
        });
        yield return new Probe("iretd to level 3 with a 16-bit stack", w =>
        {
            w.Descriptor(ProbeLayout.Free, ProbeTables.System(0xF3, ProbeLayout.Tables, 0xFFFF));
            w.Code.push(ProbeLayout.Free | 3);
            w.Code.push(0x8000);
            w.Code.push(2);
            w.Code.push(ProbeLayout.UserCode);
            w.Code.push((int)w.At(Far));
            w.Code.iretd();
            w.Part(32, Far, c =>
            {
                c.movzx(eax, sp);
                c.@int(34);
            });
        });
        yield return new Probe("retf 8 to level 3", w =>
        {
            w.Code.push(ProbeLayout.UserData);
            w.Code.push((int)ProbeLayout.UserStack);
            w.Code.push(2);
            w.Code.push(1);
            w.Code.push(ProbeLayout.UserCode);
            w.Code.push((int)w.At(Far));
            w.Code.db(0xCA, 8, 0);
            w.Part(32, Far, c => c.@int(34));
        });
        yield return new Probe("call gate of level 3 to conforming code", w =>
        {
            w.Descriptor(ProbeLayout.Free, ProbeTables.Gate(CallGate32 | Level3, ProbeLayout.Conforming, w.At(Farther), 5));
            w.EnterUser(Far);
            w.Part(32, Far, c => Transfer(c, 0x9A, ProbeLayout.Free | 3, 0));
            w.Part(32, Farther, c =>
            {
                c.mov(eax, cs);
                c.mov(ebx, esp);
                c.@int(34);
            });
        });
        yield return new Probe("call gate with a null CS", w =>
        {
            w.Descriptor(ProbeLayout.Free, ProbeTables.Gate(CallGate32, 0, 0));
            Transfer(w.Code, 0x9A, ProbeLayout.Free, 0);
        });
        yield return new Probe("interrupt gate of level 3 to conforming code", w =>
        {
            w.Vector(35, ProbeTables.Gate(0xEE, ProbeLayout.Conforming, w.At(Farther)));
            w.EnterUser(Far);
            w.Part(32, Far, c => c.@int(35));
            w.Part(32, Farther, c =>
            {
                c.mov(eax, cs);
                c.mov(ebx, esp);
                c.@int(34);
            });
        });
        yield return new Probe("iretd with VM at level 3", w =>
        {
            w.EnterUser(Far);
            w.Part(32, Far, c =>
            {
                c.push(0x2_0002);
                c.push(ProbeLayout.UserCode);
                c.push((int)w.At(Farther));
                c.iretd();
            });
            w.Part(32, Farther, c => c.@int(34));
        });
        yield return new Probe("iretd with NT and a link into the LDT", w =>
        {
            w.Put32(ProbeLayout.MainTss, 0xC);
            w.Code.push(NestedTask | 2);
            w.Code.popfd();
            w.Code.iretd();
        });
        yield return new Probe("int 32 and iretd: a nested task comes back", w =>
        {
            w.Put32(ProbeLayout.TaskTss + 0x20, w.At(Far));
            w.Code.mov(ebx, 1);
            w.Code.@int(32);
            w.Code.mov(eax, __dword_ptr[ProbeLayout.Gdt + ProbeLayout.Task + 4]);
            ProbeWriter.Finish(w.Code);
            w.Part(32, Far, c => c.iretd());
        });
        yield return new Probe("les of a null and lss of a null", w =>
        {
            w.Put(ProbeLayout.Scratch, 0x1234_5678);
            w.Code.les(eax, __[ProbeLayout.Scratch]);
            w.Code.lss(ebx, __[ProbeLayout.Scratch]);
        });
        yield return new Probe("bound", w =>
        {
            w.Put(ProbeLayout.Scratch, 0x0000_0010_FFFF_FFF0);
            w.Code.mov(eax, 0x10);
            w.Code.bound(eax, __[ProbeLayout.Scratch]);
            w.Code.mov(eax, 0x11);
            w.Code.bound(eax, __[ProbeLayout.Scratch]);
        });
        yield return new Probe("jmp far by a pointer in memory", w =>
        {
            w.Put32(ProbeLayout.Scratch, w.At(Far) - ProbeLayout.Image);
            w.Put32(ProbeLayout.Scratch + 4, ProbeLayout.CodeBased);
            w.Code.db(0xFF, 0x2D);
            w.Code.dd(ProbeLayout.Scratch);
            w.Part(32, Far, ProbeWriter.Finish);
        });
    }

    private static IEnumerable<Probe> InputAndOutput()
    {
        (string Name, byte[] Bytes)[] accesses =
        [
            ("in al, 70h, allowed", [0xE4, 0x70]), ("in al, 71h, denied", [0xE4, 0x71]), ("in ax, 70h, half denied", [0x66, 0xE5, 0x70]),
            ("in beyond the map", [0xBA, 0x00, 0x10, 0x00, 0x00, 0xEC]), ("insb, denied", [0xBA, 0x71, 0, 0, 0, 0x6C]),
        ];
        foreach ((string name, byte[] bytes) in accesses)
        {
            yield return new Probe($"level 3, {name}", w =>
            {
                w.Put(ProbeLayout.Gdt + ProbeLayout.Main, ProbeTables.System(0x89, ProbeLayout.MainTss, 0xFF));
                w.Code.mov(eax, ProbeLayout.Main);
                w.Code.ltr(ax);
                w.Put32(ProbeLayout.MainTss + 0x64, IoMap << 16);
                w.Put32(ProbeLayout.MainTss + IoMap + 0xC, 0xFFFE_FFFF);
                w.Code.mov(edi, ProbeLayout.Scratch);
                w.EnterUser(Far);
                w.Part(32, Far, c =>
                {
                    c.db(bytes);
                    c.mov(eax, 0x600D);
                    c.@int(34);
                });
            });
        }

        yield return new Probe("in without an I/O map", w =>
        {
            w.EnterUser(Far);
            w.Part(32, Far, c => c.@in(al, 0x70));
        });
    }

    private static IEnumerable<Probe> Control()
    {
        (string Name, int Register, uint Value)[] writes =
        [
            ("PG without PE", 0, 0x8000_0010), ("NW without CD", 0, 0x2000_0011), ("reserved bits of CR0", 0, 0x1FFA_FFD1),
            ("reserved bit of CR4", 4, 0x8000_0000), ("PCIDE outside IA-32e mode", 4, 0x2_0000),
        ];
        foreach ((string name, int register, uint value) in writes)
        {
            yield return new Probe($"control registers, {name}", w =>
            {
                w.Code.mov(ecx, cr0);
                w.Code.mov(eax, value);
                w.Code.db(0x0F, 0x22, (byte)(0xC0 | (register << 3)));
                w.Code.mov(eax, cr0);
                w.Code.mov(cr0, ecx);
                ProbeWriter.Finish(w.Code);
            });
        }

        yield return new Probe("lmsw leaves PE", w =>
        {
            w.Code.mov(eax, 0xFFF0);
            w.Code.lmsw(ax);
            w.Code.smsw(eax);
            ProbeWriter.Finish(w.Code);
        });
        yield return new Probe("lmsw sets TS, fwait without MP", w =>
        {
            w.Code.mov(eax, 9);
            w.Code.lmsw(ax);
            w.Code.wait();
            w.Code.mov(eax, 0xB);
            w.Code.lmsw(ax);
            w.Code.wait();
        });
        (string Name, byte[] Bytes)[] encodings =
        [
            ("mov to cr1", [0x0F, 0x22, 0xC8]), ("mov from cr5", [0x0F, 0x20, 0xE8]), ("lock nop", [0xF0, 0x90]),
            ("lock add to a register", [0xF0, 0x01, 0xC0]), ("lock cmp", [0xF0, 0x39, 0x05, 0, 0x20, 2, 0]), ("mov to cs", [0x8E, 0xC8]),
            ("mov to the seventh segment register", [0x8E, 0xF8]), ("fifteen bytes", [.. Enumerable.Repeat((byte)0x26, 14), 0x90]),
            ("sixteen bytes", [.. Enumerable.Repeat((byte)0x26, 15), 0x90]), ("lea of a register", [0x8D, 0xC0]),
            ("les of a register", [0xC4, 0xC0]), ("bound of a register", [0x62, 0xC0]), ("jmp far to a register", [0xFF, 0xE8]),
            ("aam 0", [0xD4, 0]), ("lgdt of a register", [0x0F, 0x01, 0xD0]), ("invlpg of a register", [0x0F, 0x01, 0xF8]),
            ("syscall while it is off", [0x0F, 0x05]), ("sysenter without a CS", [0x0F, 0x34]), ("rsm", [0x0F, 0xAA]),
            ("bts beyond a doubleword", [0xB8, 0x25, 0, 0, 0, 0x0F, 0xAB, 0x05, 0, 0x20, 2, 0, 0xA1, 4, 0x20, 2, 0]),
            ("salc", [0xF9, 0xD6]), ("fninit with EM", [0x0F, 0x20, 0xC0, 0x0C, 4, 0x0F, 0x22, 0xC0, 0xDB, 0xE3]),
            ("fld1 with TS", [0x0F, 0x20, 0xC0, 0x0C, 8, 0x0F, 0x22, 0xC0, 0xD9, 0xE8]),
            ("emms with EM", [0x0F, 0x20, 0xC0, 0x0C, 4, 0x0F, 0x22, 0xC0, 0x0F, 0x77]),
            ("emms with TS", [0x0F, 0x20, 0xC0, 0x0C, 8, 0x0F, 0x22, 0xC0, 0x0F, 0x77]), ("xorps without OSFXSR", [0x0F, 0x57, 0xC0]),
            ("fxsave with TS", [0x0F, 0x20, 0xC0, 0x0C, 8, 0x0F, 0x22, 0xC0, 0x0F, 0xAE, 0x05, 0, 0x20, 2, 0]),
            ("xgetbv without OSXSAVE", [0x0F, 0x01, 0xD0]),
        ];
        foreach ((string name, byte[] bytes) in encodings)
        {
            yield return new Probe($"encoding, {name}", w =>
            {
                w.Code.xor(eax, eax);
                w.Code.db(bytes);
                ProbeWriter.Finish(w.Code);
            });
        }
    }
}
