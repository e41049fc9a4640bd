using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The 64-bit part of a boot image: builds the guest's page tables, places its segments and enters it.</summary>
internal static class BootLoader
{
    private const uint MaximumBytes = BootImage.FirstTablesAddress - BootImage.LoaderAddress;

    /// <summary>A segment to place: some bytes from low memory, then zeros.</summary>
    public readonly record struct Copy(uint Source, ulong Destination, uint Bytes, ulong BytesInMemory);

    public static byte[] Assemble(BootPageTables tables, IReadOnlyList<Copy> copies, ulong entry, ulong memoryBytes)
    {
        var c = new Assembler(64);
        c.mov(eax, BootSector.DataSelector);
        foreach (AssemblerRegisterSegment segment in new[] { ds, es, ss, fs, gs })
            c.mov(segment, eax);
        c.cld();
        EmitPageTables(c, tables);
        foreach (Copy copy in copies)
            EmitCopy(c, copy);

        // An empty IDT: the first exception is a triple fault.
        c.mov(rsp, memoryBytes);
        c.push(0);
        c.push(0);
        c.lidt(__[rsp]);
        c.mov(rsp, memoryBytes);
        c.push(checked((int)entry));
        c.push(2);
        c.popfq();
        foreach (AssemblerRegister32 register in new[] { eax, ebx, ecx, edx, esi, ebp, r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d })
            c.mov(register, 0);
        c.mov(rdi, memoryBytes);
        c.ret();

        var code = new MemoryStream();
        c.Assemble(new StreamCodeWriter(code), BootImage.LoaderAddress);
        if (code.Length > MaximumBytes)
            throw new InvalidOperationException("The boot loader has outgrown its page.");
        return code.ToArray();
    }

    private static void EmitPageTables(Assembler c, BootPageTables tables)
    {
        c.mov(rdi, tables.Address);
        c.mov(rcx, tables.Bytes / 8);
        c.xor(eax, eax);
        c.rep.stosq();
        foreach (BootPageTables.Run run in tables.Runs)
        {
            Label next = c.CreateLabel();
            c.mov(rdi, run.Address);
            c.mov(rcx, run.Count);
            c.mov(rax, run.First);
            c.mov(rdx, run.Step);
            c.Label(ref next);
            c.stosq();
            c.add(rax, rdx);
            c.dec(rcx);
            c.jnz(next);
        }

        c.mov(rax, tables.Address);
        c.mov(cr3, rax);
    }

    private static void EmitCopy(Assembler c, Copy copy)
    {
        c.mov(esi, copy.Source);
        c.mov(rdi, copy.Destination);
        c.mov(ecx, copy.Bytes);
        c.rep.movsb();
        c.xor(eax, eax);
        c.mov(rcx, copy.BytesInMemory - copy.Bytes);
        c.rep.stosb();
    }
}
