using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Protection;

/// <content>Segment registers, LDTR and TR.</content>
internal static partial class ProbeList
{
    private static IEnumerable<Probe> SegmentLoads()
    {
        (string Name, ushort Selector, ulong Descriptor)[] segments =
        [
            ("null", 0, 0),
            ("data", ProbeLayout.Free, 0x00CF_9200_0000_FFFF),
            ("data, read only", ProbeLayout.Free, 0x00CF_9000_0000_FFFF),
            ("data, absent", ProbeLayout.Free, 0x00CF_1200_0000_FFFF),
            ("data of level 3", ProbeLayout.UserData, 0),
            ("RPL 3 to level 0", ProbeLayout.Data | 3, 0),
            ("code, readable", ProbeLayout.Code, 0),
            ("code, execute only", ProbeLayout.Free, 0x00CF_9800_0000_FFFF),
            ("a TSS", ProbeLayout.Other, 0),
            ("outside the GDT", 0x100, 0),
            ("no LDT", 0x0C, 0),
        ];
        foreach ((string name, ushort selector, ulong descriptor) in segments)
        {
            yield return new Probe($"mov ds, {name}", w => Load(w, selector, descriptor, 0xD8));
            yield return new Probe($"mov ss, {name}", w => Load(w, selector, descriptor, 0xD0));
        }

        yield return new Probe("pop fs from the LDT", w =>
        {
            w.Code.mov(eax, ProbeLayout.Local);
            w.Code.lldt(ax);
            w.Code.push(0x0C);
            w.Code.pop(fs);
            w.Code.push(0x14);
            w.Code.pop(gs);
        });
        yield return new Probe("null segment is used", w =>
        {
            w.Code.mov(eax, __dword_ptr.fs[ebx + 4]);
        });
        yield return new Probe("limit of an expand-down segment", w =>
        {
            w.Descriptor(ProbeLayout.Free, ProbeTables.System(0x97, 0, 0xFFF) | (1UL << 54));
            w.Code.mov(eax, ProbeLayout.Free);
            w.Code.mov(es, eax);
            w.Code.mov(eax, __dword_ptr.es[0x1000]);
            w.Code.mov(eax, __dword_ptr.es[0xFFF]);
        });
        yield return new Probe("lar, lsl, verr, verw, arpl", w =>
        {
            w.Code.mov(ecx, ProbeLayout.Narrow);
            w.Code.lar(eax, ecx);
            w.Code.lsl(ebx, ecx);
            w.Code.mov(ecx, ProbeLayout.DoubleFault);
            w.Code.lsl(edx, ecx);
            w.Code.add(ebx, edx);
            w.Code.verw(cx);
            w.Code.setz(dl);
            w.Code.mov(ecx, ProbeLayout.Code);
            w.Code.verr(cx);
            w.Code.setz(dh);
            w.Code.mov(esi, 3);
            w.Code.arpl(cx, si);
            w.Code.shl(ecx, 16);
            w.Code.add(eax, ecx);
            w.Code.add(ebx, edx);
            ProbeWriter.Finish(w.Code);
        });
        yield return new Probe("lldt of a TSS", w =>
        {
            w.Code.mov(eax, ProbeLayout.Other);
            w.Code.lldt(ax);
        });
        yield return new Probe("ltr of a busy TSS", w =>
        {
            w.Code.mov(eax, ProbeLayout.Main);
            w.Code.ltr(ax);
        });
        yield return new Probe("ltr of a 16-bit TSS", w =>
        {
            w.Code.mov(eax, ProbeLayout.Narrow);
            w.Code.ltr(ax);
            w.Code.mov(eax, __dword_ptr[ProbeLayout.Gdt + ProbeLayout.Narrow + 4]);
            ProbeWriter.Finish(w.Code);
        });
        yield return new Probe("accessed bits", w =>
        {
            w.Descriptor(ProbeLayout.Free, 0x00CF_9200_0000_FFFF);
            w.Code.mov(eax, ProbeLayout.Free);
            w.Code.mov(es, eax);
            w.Code.mov(eax, __dword_ptr[ProbeLayout.Gdt + ProbeLayout.Free + 4]);
            ProbeWriter.Finish(w.Code);
        });
    }
}
