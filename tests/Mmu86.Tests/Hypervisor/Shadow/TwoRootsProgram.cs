using Iced.Intel;
using Mmu86.X86;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Hypervisor.Shadow;

/// <summary>A kernel with two roots, in which one page of 2 MiB leads to different memory: 1 is there under the first root and 2 under the second.</summary>
/// <remarks>Root A is at 0x400000, its directory at 0x402000; those of root B are 0x3000 above. All else is mapped to itself by both.</remarks>
internal sealed class TwoRootsProgram
{
    public const ulong LoadAddress = RootA;
    public const ulong Entry = 0x50_0000;
    public const ulong RootA = 0x40_0000, RootB = 0x40_3000;
    public const ulong Page = 0x80_0000;
    public const ulong Log = 0x60_0000;

    public const ulong OtherFrame = 0xA0_0000;

    private const ulong Stack = 0x70_0000, PageBytes = 2 << 20;
    private const ulong Gdt = 0x61_0000, Idt = 0x61_1000;
    private const int PageFault = 14, StoreBytes = 3;
    private const ulong MappedBytes = 16 << 20;
    private const int Tables = 6 * 4096;

    /// <summary>Takes what the program does.</summary>
    public Assembler Code { get; } = new(64);

    /// <summary>Makes a program that begins under root A with these controls set besides.</summary>
    public TwoRootsProgram(Cr4 controls)
    {
        Code.mov(rsp, Stack);
        EmitLoad(RootA, 0, keeps: false);
        Code.mov(rax, cr4);
        Code.or(rax, (int)controls);
        Code.mov(cr4, rax);
        Code.mov(r15, Log);
        Code.mov(__byte_ptr[Page], 1);
        Code.mov(rax, OtherFrame);
        Code.mov(__byte_ptr[rax], 2);
    }

    /// <summary>The entry of the page under a root.</summary>
    public static ulong EntryUnder(ulong root) => root + 0x2000 + (Page / PageBytes * 8);

    /// <summary>Loads a root.</summary>
    public void EmitLoad(ulong root, ulong pcid, bool keeps)
    {
        Code.mov(rax, root | pcid | (keeps ? 1UL << 63 : 0));
        Code.mov(cr3, rax);
    }

    /// <summary>Writes down what is seen at the page.</summary>
    public void EmitLook() => EmitLook(Page);

    /// <summary>Writes down what is seen elsewhere.</summary>
    public void EmitLook(ulong address)
    {
        Code.mov(rsi, address);
        Code.movzx(eax, __byte_ptr[rsi]);
        Code.mov(__byte_ptr[r15], al);
        Code.inc(r15);
    }

    /// <summary>Lets the page under a root lead to the other root's memory.</summary>
    public void EmitSwap(ulong root)
    {
        Code.mov(rsi, EntryUnder(root));
        Code.xor(__qword_ptr[rsi], (int)(Page ^ OtherFrame));
    }

    /// <summary>Writes eight bytes.</summary>
    public void EmitStore(ulong address, ulong value)
    {
        Code.mov(rdi, address);
        Code.mov(rax, value);
        Code.mov(__[rdi], rax);
    }

    /// <summary>Segments and an IDT of its own, with which the store of <see cref="EmitStoreThatFaults"/> is passed over. The supervisor obeys R/W from now on.</summary>
    public void EmitFaultHandler()
    {
        Label handler = Code.CreateLabel(), behind = Code.CreateLabel();
        Code.jmp(behind);
        Code.Label(ref handler);
        Code.add(rsp, 8); // the error code
        Code.add(__qword_ptr[rsp], StoreBytes);
        Code.iretq();
        Code.Label(ref behind);
        EmitStore(Gdt + 8, 0x00AF_9B00_0000_FFFF);
        EmitStore(Gdt + 16, 0x00CF_9300_0000_FFFF);
        EmitStore(Gdt + 0xF00, 0x17 | (Gdt << 16));
        EmitStore(Idt + 0xF00, 0xFFF | (Idt << 16));

        // The gate: the handler's address is below 4 GiB.
        Code.lea(rax, __[handler]);
        Code.movzx(ecx, ax);
        Code.shr(rax, 16);
        Code.shl(rax, 48);
        Code.or(rax, rcx);
        Code.mov(rcx, (8UL << 16) | (0x8E00UL << 32));
        Code.or(rax, rcx);
        Code.mov(rdi, Idt + (PageFault * 16));
        Code.mov(__[rdi], rax);
        Code.mov(rax, Gdt + 0xF00);
        Code.lgdt(__[rax]);
        Code.mov(rax, Idt + 0xF00);
        Code.lidt(__[rax]);
        Code.mov(rax, cr0);
        Code.or(rax, (int)Cr0.WriteProtect);
        Code.mov(cr0, rax);
    }

    /// <summary>Writes to the page; where that faults, the handler goes on behind it.</summary>
    public void EmitStoreThatFaults()
    {
        Code.mov(rsi, Page);
        Code.mov(__[rsi], rbx); // of StoreBytes
    }

    /// <summary>INVPCID.</summary>
    public void EmitInvpcid(int type, int pcid)
    {
        Code.push((int)Page);
        Code.push(pcid);
        Code.mov(eax, type);
        Code.invpcid(rax, __xmmword_ptr[rsp]);
        Code.add(rsp, 16);
    }

    /// <summary>Makes a flat image that ends with the debug exit.</summary>
    public byte[] Build(bool isGlobal)
    {
        Code.xor(eax, eax);
        Code.@out(0xF4, eax);
        Code.hlt();
        var code = new MemoryStream();
        Code.Assemble(new StreamCodeWriter(code), Entry);
        byte[] image = new byte[(int)(Entry - LoadAddress) + (int)code.Length];
        code.ToArray().CopyTo(image, (int)(Entry - LoadAddress));
        foreach (ulong root in new[] { RootA, RootB })
        {
            Put(root, (root + 0x1000) | 3);
            Put(root + 0x1000, (root + 0x2000) | 3);
            for (ulong address = 0; address < MappedBytes; address += PageBytes)
                Put(root + 0x2000 + (address / PageBytes * 8), address | PagingEntry.PageSizeBit | 3);
            Put(EntryUnder(root), (root == RootA ? Page : OtherFrame) | PagingEntry.PageSizeBit | 3 | (isGlobal ? PagingEntry.Global : 0));
        }

        return image;

        void Put(ulong address, ulong value) => BitConverter.TryWriteBytes(image.AsSpan((int)(address - LoadAddress), Tables)[..8], value);
    }
}
