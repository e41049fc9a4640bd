using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Protection;

/// <content>Virtual-8086 and real-address mode.</content>
internal static partial class ProbeList
{
    private static IEnumerable<Probe> Virtual()
    {
        (string Name, byte[] Bytes)[] sensitive =
        [
            ("cli", [0xFA]), ("sti", [0xFB]), ("pushf", [0x9C]), ("popf", [0x9D]), ("int 34", [0xCD, 34]), ("iret", [0xCF]),
            ("int3", [0xCC]), ("hlt", [0xF4]), ("in", [0xEC]), ("mov eax, cr0", [0x0F, 0x20, 0xC0]), ("lldt", [0x0F, 0x00, 0xD0]),
            ("lar", [0x0F, 0x02, 0xC0]), ("ud2", [0x0F, 0x0B]),
        ];
        foreach ((string name, byte[] bytes) in sensitive)
        {
            foreach (uint privilege in new[] { 0u, IoPrivilege3 })
            {
                yield return new Probe($"virtual-8086, {name}, IOPL {privilege >> 12}", w =>
                {
                    w.Vector(3, ProbeTables.Gate(0xEE, ProbeLayout.Code, ProbeLayout.Stubs + (3 * 16)));
                    w.EnterVirtual8086(Far, privilege);

                    // What IRET and POPF find: flags with everything set, CS and IP of the second part.
                    w.Part(16, Far, c =>
                    {
                        c.db(0x68, 0x02, 0x7F); // push imm16
                        c.push(cs);
                        c.push((short)Farther);
                        if (name == "popf")
                            c.add(sp, 4);
                        c.mov(ax, 0xABCD);
                        c.db(bytes);
                        c.mov(ax, 0x600D);
                        c.@int(34);
                    });
                    w.Part(16, Farther, c =>
                    {
                        c.mov(ax, 0x1E7);
                        c.@int(34);
                    });
                });
            }
        }

        yield return new Probe("virtual-8086, segments and memory", w =>
        {
            w.EnterVirtual8086(Far, IoPrivilege3);
            w.Part(16, Far, c =>
            {
                c.mov(ax, 0x2200);
                c.mov(es, ax);
                c.mov(__word_ptr.es[0x20], 0x5A5A);
                c.mov(ax, 0x2202);
                c.mov(ds, ax);
                c.mov(ax, __word_ptr[0]);
                c.@int(34);
            });
        });
        yield return new Probe("virtual-8086, limit", w =>
        {
            w.EnterVirtual8086(Far, IoPrivilege3);
            w.Part(16, Far, c => c.mov(ax, __word_ptr[0xFFFF]));
        });
        yield return new Probe("virtual-8086, handler of level 1", w =>
        {
            w.Vector(34, ProbeTables.Gate(0xEE, ProbeLayout.Code1, w.At(Farther)));
            w.EnterVirtual8086(Far, IoPrivilege3);
            w.Part(16, Far, c => c.@int(34));
        });
        yield return new Probe("virtual-8086, far call and return", w =>
        {
            w.EnterVirtual8086(Far, IoPrivilege3);
            w.Part(16, Far, c =>
            {
                c.db(0x9A);
                c.dw((ushort)(Farther + 0x10));
                c.dw((ushort)(w.Paragraph - 1));
                c.@int(34);
            });
            w.Part(16, Farther, c =>
            {
                c.mov(ax, cs);
                c.db(0xCB); // retf
            });
        });
        yield return new Probe("virtual-8086 and back by iretd", w =>
        {
            w.Vector(35, ProbeTables.Gate(0xEE, ProbeLayout.Code, w.At(Farther)));
            w.EnterVirtual8086(Far, IoPrivilege3);
            w.Part(16, Far, c =>
            {
                c.@int(35);
                c.inc(ax);
                c.@int(34);
            });
            w.Part(32, Farther, c =>
            {
                c.mov(eax, 0x7000);
                c.iretd();
            });
        });
    }

    private static IEnumerable<Probe> Real()
    {
        const uint Vectors = ProbeLayout.Scratch + 0x200;
        foreach ((string name, byte[] bytes, uint limit) in new (string, byte[], uint)[]
        {
            ("int 35", [0xCD, 35], 0x3FF),
            ("ud2", [0x0F, 0x0B], 0x3FF),
            ("divide error", [0x31, 0xC9, 0xF7, 0xF1], 0x3FF),
            ("limit, #GP", [0xA1, 0xFF, 0xFF], 0x3FF),
            ("lldt", [0x0F, 0x00, 0xD0], 0x3FF),
            ("int outside the IDT", [0xCD, 35], (35 * 4) + 2),
            ("single step", [0x68, 0x02, 0x01, 0x9D, 0x90, 0x90], 0x3FF),
        })
        {
            yield return new Probe($"real mode, {name}", w =>
            {
                // Every vector leads to the second part of the probe.
                w.Code.mov(edi, Vectors);
                w.Code.mov(ecx, 64);
                w.Code.mov(eax, (w.Paragraph << 16) | (int)Farther);
                w.Code.rep.stosd();
                w.Put(ProbeLayout.Scratch, ((ulong)Vectors << 16) | limit);
                w.Code.lidt(__[ProbeLayout.Scratch]);
                w.Code.mov(esp, 0x8000);
                Transfer(w.Code, 0xEA, ProbeLayout.Code16, w.At(Far) - ProbeLayout.Image);
                w.Part(16, Far, c =>
                {
                    Label real = c.CreateLabel();
                    c.mov(ax, ProbeLayout.Data16);
                    c.mov(ss, ax);
                    c.mov(ds, ax);
                    c.mov(eax, cr0);
                    c.and(al, 0xFE);
                    c.mov(cr0, eax);
                    c.db(0xEA);
                    c.dw((ushort)(Far + 0x1A));
                    c.dw(w.Paragraph);
                    c.nop();
                    c.nop();
                    c.nop();
                    c.nop();
                    c.nop();
                    c.nop();
                    c.mov(ax, 0x2000);
                    c.mov(ss, ax);
                    c.mov(ds, ax);
                    c.mov(sp, 0x7000);
                    c.db(bytes);
                    c.hlt();
                });

                // The frame, and back to protected mode, whose GDT is still there.
                w.Part(16, Farther, c =>
                {
                    c.pop(bx);
                    c.pop(cx);
                    c.pop(dx);
                    c.shl(ebx, 16);
                    c.mov(bx, cx);
                    c.lidt(__[(short)(ProbeImage.IdtPointer - ProbeLayout.Tables)]);
                    c.mov(eax, cr0);
                    c.inc(ax);
                    c.mov(cr0, eax);
                    c.movzx(eax, dx);
                    c.and(ax, 0x7700);
                    ProbeWriter.Finish(c);
                });
            });
        }
    }
}
