using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Cpu.Protection;

/// <content>Virtual interrupts: CR4.VME in virtual-8086 mode, CR4.PVI at level 3.</content>
internal static partial class ProbeList
{
    private const uint VirtualInterrupt = 1 << 19;
    private const uint VirtualInterruptPending = 1 << 20;

    // In the TSS: where the I/O map begins, and before it 32 bytes that say which interrupts are the task's own.
    private const uint IoMap = 0x90;
    private const uint Redirection = IoMap - 32;

    private static IEnumerable<Probe> VirtualInterrupts()
    {
        (string Name, byte[] Bytes)[] sensitive =
        [
            ("cli", [0xFA]), ("sti", [0xFB]), ("pushf", [0x9C, 0x58]), ("pushfd", [0x66, 0x9C]), ("popf", [0x9D]), ("popfd", [0x66, 0x9D]),
            ("iret", [0xCF]), ("iretd", [0x66, 0xCF]), ("int 35", [0xCD, 35]), ("int 36", [0xCD, 36]), ("in", [0xE4, 0x70]),
            ("in from outside", [0xBA, 0x00, 0x10, 0xEC]),
        ];
        foreach ((string name, byte[] bytes) in sensitive)
        {
            foreach (uint privilege in new[] { 0u, IoPrivilege3 })
                yield return new Probe($"virtual-8086 with VME, {name}, IOPL {privilege >> 12}", w => TryInTask(w, privilege, 0x7202, bytes, name));
        }

        yield return new Probe("virtual-8086 with VME, cli while VIF is set", w => TryInTask(w, VirtualInterrupt, 0x7202, [0xFA], "cli"));
        yield return new Probe("virtual-8086 with VME, pushf while VIF is set", w => TryInTask(w, VirtualInterrupt, 0x7202, [0x9C, 0x58], "pushf"));
        yield return new Probe("virtual-8086 with VME, int 35 while VIF is set", w => TryInTask(w, VirtualInterrupt, 0x7202, [0xCD, 35], "int"));
        yield return new Probe("virtual-8086 with VME, sti while VIP is set", w => TryInTask(w, VirtualInterruptPending, 0x7202, [0xFB], "sti"));
        yield return new Probe("virtual-8086 with VME, popf while VIP is set", w => TryInTask(w, VirtualInterruptPending, 0x7202, [0x9D], "popf"));
        yield return new Probe("virtual-8086 with VME, iret while VIP is set", w => TryInTask(w, VirtualInterruptPending, 0x7202, [0xCF], "iret"));
        yield return new Probe("virtual-8086 with VME, popf that sets TF", w => TryInTask(w, 0, 0x7302, [0x9D], "popf"));
        yield return new Probe("virtual-8086 with VME, popf that clears IF", w => TryInTask(w, VirtualInterrupt, 0x0402, [0x9D], "popf"));

        (string Name, byte Opcode, uint Flags)[] atLevel3 =
        [
            ("cli", 0xFA, VirtualInterrupt), ("sti", 0xFB, 0), ("sti while VIP is set", 0xFB, VirtualInterruptPending),
            ("pushf", 0x9C, VirtualInterrupt), ("popf", 0x9D, VirtualInterrupt),
        ];
        foreach ((string name, byte opcode, uint flags) in atLevel3)
        {
            yield return new Probe($"level 3 with PVI, {name}", w =>
            {
                w.Code.mov(eax, 2);
                w.Code.mov(cr4, eax);
                w.Code.push(ProbeLayout.UserData);
                w.Code.push((int)ProbeLayout.UserStack);
                w.Code.push((int)(flags | 2));
                w.Code.push(ProbeLayout.UserCode);
                w.Code.push((int)w.At(Far));
                w.Code.iretd();
                w.Part(32, Far, c =>
                {
                    c.push(0x11);
                    c.push(0x3202);
                    c.db(opcode);
                    c.pop(eax);
                    c.ud2();
                });
            });
        }
    }

    // One instruction of a task whose stack holds an image of flags, CS and IP. Vector 35 is the task's own, 36 is not.
    private static void TryInTask(ProbeWriter w, uint flags, ushort image, byte[] bytes, string name)
    {
        w.Code.mov(eax, 1);
        w.Code.mov(cr4, eax);
        w.Put(ProbeLayout.Gdt + ProbeLayout.Main, ProbeTables.System(0x89, ProbeLayout.MainTss, 0xFF));
        w.Code.mov(eax, ProbeLayout.Main);
        w.Code.ltr(ax);
        w.Put32(ProbeLayout.MainTss + 0x64, IoMap << 16);
        w.Put32(ProbeLayout.MainTss + Redirection + 4, 0xFFFF_FFF7);
        w.Put32(35 * 4, ((uint)w.Paragraph << 16) | Farther);
        w.EnterVirtual8086(Far, flags);
        w.Part(16, Far, c =>
        {
            c.db(0x68); // push imm16
            c.dw(image);
            c.push(cs);
            c.push((short)Farther);
            if (name == "iretd")
                PushWideFrame(c, image);
            if (name.StartsWith("pop", StringComparison.Ordinal))
                c.add(sp, 4);
            c.mov(ax, 0xABCD);
            c.db(bytes);
            c.ud2();
        });

        // IRET and INT lead here: what INT pushed is in EAX.
        w.Part(16, Farther, c =>
        {
            c.pop(eax);
            c.pop(bx);
            c.mov(ax, bx);
            c.ud2();
        });
    }

    private static void PushWideFrame(Assembler c, ushort image)
    {
        c.db(0x66, 0x68); // push imm32
        c.dd(image);
        c.db(0x66);
        c.push(cs);
        c.db(0x66, 0x68);
        c.dd(Farther);
    }
}
