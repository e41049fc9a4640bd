using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Protection;

/// <content>Far JMP, CALL, RET and IRET.</content>
internal static partial class ProbeList
{
    private static IEnumerable<Probe> FarTransfers()
    {
        (string Name, ushort Selector, ulong Descriptor)[] targets =
        [
            ("16-bit code", ProbeLayout.Code16, 0),
            ("based code", ProbeLayout.CodeBased, 0),
            ("conforming code", ProbeLayout.Conforming, 0),
            ("code of level 3", ProbeLayout.UserCode, 0),
            ("RPL 1", ProbeLayout.Code | 1, 0),
            ("data", ProbeLayout.Data, 0),
            ("null", 0, 0),
            ("absent code", ProbeLayout.Free, 0x00CF_1A00_0000_FFFF),
            ("an LDT", ProbeLayout.Local, 0),
        ];
        foreach ((string name, ushort selector, ulong descriptor) in targets)
        {
            foreach (bool isCall in new[] { false, true })
            {
                yield return new Probe($"{(isCall ? "call" : "jmp")} {name}", w =>
                {
                    if (descriptor != 0)
                        w.Descriptor(selector, descriptor);
                    uint offset = selector is ProbeLayout.Code16 or ProbeLayout.CodeBased ? w.At(Far) - ProbeLayout.Image : w.At(Far);
                    Transfer(w.Code, isCall ? (byte)0x9A : (byte)0xEA, selector, offset);
                    w.Part(selector == ProbeLayout.Code16 ? 16 : 32, Far, ProbeWriter.Finish);
                });
            }
        }

        yield return new Probe("jmp past the limit", w => Transfer(w.Code, 0xEA, ProbeLayout.CodeBased, 0x1_0000));
        yield return new Probe("near past the limit", w =>
        {
            Transfer(w.Code, 0xEA, ProbeLayout.CodeBased, w.At(Far) - ProbeLayout.Image);
            w.Part(32, Far, c =>
            {
                c.mov(eax, 0x1_0000);
                c.jmp(eax);
            });
        });
        yield return new Probe("conforming code from level 3", w =>
        {
            w.EnterUser(Far);
            w.Part(32, Far, c => Transfer(c, 0xEA, ProbeLayout.Conforming, w.At(Farther)));
            w.Part(32, Farther, c => c.@int(34));
        });
    }

    private static IEnumerable<Probe> CallGates()
    {
        yield return new Probe("call gate of level 0", w =>
        {
            w.Descriptor(ProbeLayout.Free, ProbeTables.Gate(CallGate32, ProbeLayout.Code, w.At(Far), 3));
            Transfer(w.Code, 0x9A, ProbeLayout.Free, 0xFFFF_FFFF);
            w.Part(32, Far, ProbeWriter.Finish);
        });
        yield return new Probe("jmp through a call gate to an inner level", w =>
        {
            w.Descriptor(ProbeLayout.Free, ProbeTables.Gate(CallGate32 | Level3, ProbeLayout.Code, w.At(Farther)));
            w.EnterUser(Far);
            w.Part(32, Far, c => Transfer(c, 0xEA, ProbeLayout.Free | 3, 0));
        });
        yield return new Probe("call gate, privilege of the gate", w =>
        {
            w.Descriptor(ProbeLayout.Free, ProbeTables.Gate(CallGate32, ProbeLayout.Code, w.At(Farther)));
            w.EnterUser(Far);
            w.Part(32, Far, c => Transfer(c, 0x9A, ProbeLayout.Free, 0));
        });
        yield return new Probe("absent call gate", w =>
        {
            w.Descriptor(ProbeLayout.Free, ProbeTables.Gate(CallGate32 & 0x7F, ProbeLayout.Code, 0));
            Transfer(w.Code, 0x9A, ProbeLayout.Free, 0);
        });
        yield return new Probe("call gate to an absent stack", w =>
        {
            w.Descriptor(ProbeLayout.Data1, 0x00CF_3300_0000_FFFF);
            w.Descriptor(ProbeLayout.Free, ProbeTables.Gate(CallGate32 | Level3, ProbeLayout.Code1, w.At(Farther)));
            w.EnterUser(Far);
            w.Part(32, Far, c => Transfer(c, 0x9A, ProbeLayout.Free | 3, 0));
        });
        yield return new Probe("call gate to a stack without room", w =>
        {
            w.Descriptor(ProbeLayout.Data1, ProbeTables.System(0xB3, 0, 0x1000));
            w.Descriptor(ProbeLayout.Free, ProbeTables.Gate(CallGate32 | Level3, ProbeLayout.Code1, w.At(Farther)));
            w.EnterUser(Far);
            w.Part(32, Far, c => Transfer(c, 0x9A, ProbeLayout.Free | 3, 0));
        });
        foreach ((string name, uint type) in new[] { ("32", CallGate32), ("16", CallGate16) })
        {
            // Parameters are seen by the callee, which returns and releases them; the caller adds what it finds on its stack.
            yield return new Probe($"call gate of {name} bits copies parameters and returns", w =>
            {
                bool isWide = type == CallGate32;
                uint target = isWide ? w.At(Farther) : w.At(Farther) - ProbeLayout.Image;
                w.Descriptor(ProbeLayout.Free, ProbeTables.Gate(type | Level3, isWide ? ProbeLayout.Code : ProbeLayout.Code16, target, 2));
                w.EnterUser(Far);
                w.Part(32, Far, c =>
                {
                    c.push(0x1111_2222);
                    c.push(0x3333_4444);
                    Transfer(c, 0x9A, ProbeLayout.Free | 3, 0);
                    c.add(ebx, esp);
                    c.@int(34);
                });
                w.Part(isWide ? 32 : 16, Farther, c =>
                {
                    c.mov(ebp, esp);
                    c.movzx(ebx, __word_ptr[ebp + 10]);
                    c.mov(eax, __dword_ptr[ebp + (isWide ? 8 : 4)]);
                    c.db(0xCA, isWide ? (byte)8 : (byte)4, 0); // retf
                });
            });
        }

        yield return new Probe("sysenter and sysexit", w =>
        {
            foreach ((uint register, uint value) in new[] { (0x174u, 0x08u), (0x175u, ProbeLayout.InnerStack), (0x176u, w.At(Farther)) })
            {
                w.Code.mov(ecx, register);
                w.Code.mov(eax, value);
                w.Code.wrmsr();
            }

            w.Descriptor(0x18, 0x00CF_FB00_0000_FFFF);
            w.EnterUser(Far);
            w.Part(32, Far, c => c.sysenter());
            w.Part(32, Farther, c =>
            {
                c.mov(eax, cs);
                c.mov(ebx, ss);
                c.mov(edx, w.At(0xE0));
                c.mov(ecx, ProbeLayout.UserStack);
                c.sysexit();
            });
            w.Part(32, 0xE0, c => c.@int(34));
        });
    }

    private static IEnumerable<Probe> Returns()
    {
        (string Name, int Selector, int StackSelector)[] frames =
        [
            ("to level 3", ProbeLayout.UserCode, ProbeLayout.UserData),
            ("null CS", 0, ProbeLayout.UserData),
            ("data CS", ProbeLayout.Data, ProbeLayout.UserData),
            ("CS of another DPL", ProbeLayout.Code | 3, ProbeLayout.UserData),
            ("null SS", ProbeLayout.UserCode, 0),
            ("SS of another RPL", ProbeLayout.UserCode, ProbeLayout.UserData & ~3),
            ("SS of another DPL", ProbeLayout.UserCode, ProbeLayout.Data | 3),
            ("code SS", ProbeLayout.UserCode, ProbeLayout.UserCode),
            ("conforming CS", ProbeLayout.Conforming | 3, ProbeLayout.UserData),
        ];
        foreach ((string name, int selector, int stackSelector) in frames)
        {
            yield return new Probe($"iretd, {name}", w =>
            {
                w.Code.push(stackSelector);
                w.Code.push((int)ProbeLayout.UserStack);
                w.Code.push(0x0020_3AD7);
                w.Code.push(selector);
                w.Code.push((int)w.At(Far));
                w.Code.iretd();
                w.Part(32, Far, c => c.@int(34));
            });
            yield return new Probe($"retf, {name}", w =>
            {
                w.Code.mov(eax, ProbeLayout.UserData);
                w.Code.mov(fs, eax);
                w.Code.push(stackSelector);
                w.Code.push((int)ProbeLayout.UserStack);
                w.Code.push(selector);
                w.Code.push((int)w.At(Far));
                w.Code.retf();
                w.Part(32, Far, c => c.@int(34));
            });
        }

        yield return new Probe("iretd of level 3 leaves IF and IOPL", w =>
        {
            w.EnterUser(Far);
            w.Part(32, Far, c =>
            {
                c.push(0x3202);
                c.push(ProbeLayout.UserCode);
                c.push((int)w.At(Farther));
                c.iretd();
            });
            w.Part(32, Farther, c => c.@int(34));
        });
        yield return new Probe("privileged at level 3", w =>
        {
            w.EnterUser(Far);
            w.Part(32, Far, c => c.cli());
        });
    }
}
