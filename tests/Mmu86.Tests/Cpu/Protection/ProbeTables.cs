using System.Buffers.Binary;

namespace Mmu86.Tests.Cpu.Protection;

/// <summary>GDT, IDT, LDT and task-state segments of a probe image.</summary>
internal static class ProbeTables
{
    private const ulong Present = 1UL << 47;

    /// <summary>The four kilobytes that each probe finds.</summary>
    public static byte[] Create()
    {
        var tables = new byte[ProbeLayout.TableBytes];
        Descriptor(ProbeLayout.Code, 0x00CF_9B00_0000_FFFF);
        Descriptor(ProbeLayout.Data, 0x00CF_9300_0000_FFFF);
        Descriptor(ProbeLayout.UserCode, 0x00CF_FB00_0000_FFFF);
        Descriptor(ProbeLayout.UserData, 0x00CF_F300_0000_FFFF);
        Descriptor(ProbeLayout.Main, System(0x89, ProbeLayout.MainTss, 0x67));
        Descriptor(ProbeLayout.Other, System(0x89, ProbeLayout.OtherTss, 0x67));
        Descriptor(ProbeLayout.Narrow, System(0x81, ProbeLayout.NarrowTss, 0x2B));
        Descriptor(ProbeLayout.DoubleFault, System(0x89, ProbeLayout.DoubleFaultTss, 0x67));
        Descriptor(ProbeLayout.Local, System(0x82, ProbeLayout.Ldt, 0x1F));
        Descriptor(ProbeLayout.Code16, System(0x9B, ProbeLayout.Image, 0xFFFF));
        Descriptor(ProbeLayout.Data16, System(0x93, ProbeLayout.Tables, 0xFFFF));
        Descriptor(ProbeLayout.CodeBased, System(0x9B, ProbeLayout.Image, 0xFFFF) | (1UL << 54));
        Descriptor(ProbeLayout.Code1, 0x00CF_BB00_0000_FFFF);
        Descriptor(ProbeLayout.Data1, 0x00CF_B300_0000_FFFF);
        Descriptor(ProbeLayout.Conforming, 0x00CF_9F00_0000_FFFF);
        Descriptor(ProbeLayout.Task, System(0x89, ProbeLayout.TaskTss, 0x67));
        Put(ProbeLayout.Ldt + 8, 0x00CF_9300_0000_FFFF);
        Put(ProbeLayout.Ldt + 16, 0x00CF_1300_0000_FFFF);
        for (uint vector = 0; vector < ProbeLayout.Vectors; vector++)
            Put(ProbeLayout.Idt + (vector * 8), Gate(vector < 32 ? 0x8Eu : 0xEEu, ProbeLayout.Code, ProbeLayout.Stubs + (vector * 16)));
        Put(ProbeLayout.Idt + (8 * 8), Gate(0x85, ProbeLayout.DoubleFault, 0));
        Put(ProbeLayout.Idt + (32 * 8), Gate(0xE5, ProbeLayout.Task, 0));
        WriteTask(ProbeLayout.MainTss, 0, 0);
        WriteTask(ProbeLayout.OtherTss, ProbeLayout.Done, ProbeLayout.OtherStack);
        WriteTask(ProbeLayout.DoubleFaultTss, ProbeLayout.Stubs + (8 * 16), ProbeLayout.DoubleFaultStack);
        WriteTask(ProbeLayout.TaskTss, ProbeLayout.Done, ProbeLayout.OtherStack);
        WriteNarrowTask();
        return tables;

        void Descriptor(ushort selector, ulong value) => Put(ProbeLayout.Gdt + (selector & 0xFFF8u), value);

        void Put(uint address, ulong value) =>
            BinaryPrimitives.WriteUInt64LittleEndian(tables.AsSpan((int)(address - ProbeLayout.Tables)), value);

        void Put32(uint address, uint value) =>
            BinaryPrimitives.WriteUInt32LittleEndian(tables.AsSpan((int)(address - ProbeLayout.Tables)), value);

        void Put16(uint address, uint value) =>
            BinaryPrimitives.WriteUInt16LittleEndian(tables.AsSpan((int)(address - ProbeLayout.Tables)), (ushort)value);

        void WriteTask(uint task, uint eip, uint esp)
        {
            Put32(task + 4, ProbeLayout.InnerStack);
            Put32(task + 8, ProbeLayout.Data);
            Put32(task + 0xC, ProbeLayout.Inner1Stack);
            Put32(task + 0x10, ProbeLayout.Data1);
            Put32(task + 0x20, eip);
            Put32(task + 0x24, 2);
            for (uint i = 0; i < 8; i++)
                Put32(task + 0x28 + (i * 4), 0xA0A0_0000 + i);
            Put32(task + 0x38, esp);
            uint[] selectors = [ProbeLayout.Data, ProbeLayout.Code, ProbeLayout.Data, ProbeLayout.Data, 0, 0];
            for (int i = 0; i < selectors.Length; i++)
                Put32(task + 0x48 + ((uint)i * 4), selectors[i]);
            Put32(task + 0x64, 0x68 << 16);
        }

        void WriteNarrowTask()
        {
            const uint Task = ProbeLayout.NarrowTss;
            Put16(Task + 2, 0xF000);
            Put16(Task + 4, ProbeLayout.Data16);
            Put16(Task + 0xE, ProbeLayout.Done - ProbeLayout.Image);
            Put16(Task + 0x10, 2);
            for (uint i = 0; i < 8; i++)
                Put16(Task + 0x12 + (i * 2), 0xB000 + i);
            Put16(Task + 0x1A, 0xD000);
            uint[] selectors = [ProbeLayout.Data, ProbeLayout.CodeBased, ProbeLayout.Data16, ProbeLayout.Data];
            for (int i = 0; i < selectors.Length; i++)
                Put16(Task + 0x22 + ((uint)i * 2), selectors[i]);
        }
    }

    /// <summary>An interrupt, trap, call or task gate.</summary>
    /// <param name="access">P, DPL, S and type.</param>
    /// <param name="selector">Where it leads.</param>
    /// <param name="offset">Where in that segment.</param>
    /// <param name="parameters">For call gates.</param>
    public static ulong Gate(uint access, ushort selector, uint offset, uint parameters = 0) =>
        (offset & 0xFFFF) | ((ulong)selector << 16) | ((ulong)parameters << 32) | ((ulong)access << 40) | ((ulong)(offset >> 16) << 48);

    /// <summary>A segment of byte granularity.</summary>
    public static ulong System(uint access, uint segmentBase, uint limit) =>
        (limit & 0xFFFF) | ((ulong)(segmentBase & 0xFF_FFFF) << 16) | ((ulong)access << 40) | ((ulong)(limit >> 16) << 48)
        | ((ulong)(segmentBase >> 24) << 56);

    /// <summary>The same descriptor, not present.</summary>
    public static ulong Absent(ulong descriptor) => descriptor & ~Present;
}
