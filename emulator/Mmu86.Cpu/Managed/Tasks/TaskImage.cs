using System.Runtime.CompilerServices;
using Iced.Intel;
using Mmu86.Paging;
using Mmu86.X86;

namespace Mmu86.Cpu;

/// <summary>The state of a task as its TSS holds it.</summary>
internal struct TaskImage
{
    public uint PagingRoot;
    public uint Pointer;
    public uint Flags;
    public GeneralRegisters Registers;
    public SegmentSelectors Segments;
    public ushort LocalTable;

    /// <summary>T: a debug exception follows the switch to this task.</summary>
    public bool Traps;

    private static ReadOnlySpan<Register> SegmentNames => [Register.ES, Register.CS, Register.SS, Register.DS, Register.FS, Register.GS];

    /// <summary>The register of a place in <see cref="Segments"/>.</summary>
    public static Register SegmentName(int index) => SegmentNames[index];

    /// <summary>Reads a TSS.</summary>
    /// <returns>False with the fault recorded.</returns>
    public static bool TryRead(Vcpu vcpu, SegmentRegister task, out TaskImage image)
    {
        image = default;
        TaskLayout layout = TaskLayout.Of(task);
        if (!TryReadWord(vcpu, task, layout.Pointer, layout.WordBytes, out image.Pointer)
            || !TryReadWord(vcpu, task, layout.Flags, layout.WordBytes, out image.Flags))
            return false;

        // A 16-bit TSS says nothing of the upper halves: ones, as processors are seen to leave them.
        uint upper = layout.WordBytes == 2 ? 0xFFFF_0000 : 0;
        for (int i = 0; i < GeneralRegisters.Count; i++)
        {
            if (!TryReadWord(vcpu, task, layout.Registers + (i * layout.WordBytes), layout.WordBytes, out uint register))
                return false;
            image.Registers[i] = register | upper;
        }

        for (int i = 0; i < layout.SegmentCount; i++)
        {
            if (!TryReadWord(vcpu, task, layout.Segments + (i * layout.WordBytes), 2, out uint selector))
                return false;
            image.Segments[i] = (ushort)selector;
        }

        if (!TryReadWord(vcpu, task, layout.LocalTable, 2, out uint localTable))
            return false;
        image.LocalTable = (ushort)localTable;
        if (layout.WordBytes == 2)
            return true;
        bool isRead = TryReadWord(vcpu, task, TaskLayout.TrapFlag, 2, out uint trap)
            & TryReadWord(vcpu, task, TaskLayout.PagingRoot, 4, out image.PagingRoot);
        image.Traps = (trap & 1) != 0;
        return isRead;
    }

    /// <summary>Whether the part of a TSS that is saved can be written; nothing is.</summary>
    public static bool CanSave(Vcpu vcpu, SegmentRegister task)
    {
        TaskLayout layout = TaskLayout.Of(task);
        return vcpu.Data.TryProbeWrite(
            task.Base + (uint)layout.Pointer, (uint)layout.SavedBytes, AccessMode.Implicit, ExceptionVector.GeneralProtection);
    }

    /// <summary>Writes the state of the processor to a TSS: registers and selectors, not CR3 nor the LDT.</summary>
    /// <param name="vcpu">The CPU.</param>
    /// <param name="task">The TSS of the current task.</param>
    /// <param name="pointer">EIP to be saved.</param>
    /// <param name="flags">EFLAGS to be saved.</param>
    /// <returns>False with the fault recorded.</returns>
    public static bool TrySave(Vcpu vcpu, SegmentRegister task, uint pointer, RFlags flags)
    {
        TaskLayout layout = TaskLayout.Of(task);
        bool isSaved = TryWriteWord(vcpu, task, layout.Pointer, layout.WordBytes, pointer)
            && TryWriteWord(vcpu, task, layout.Flags, layout.WordBytes, (uint)flags);
        for (int i = 0; isSaved && i < GeneralRegisters.Count; i++)
            isSaved = TryWriteWord(vcpu, task, layout.Registers + (i * layout.WordBytes), layout.WordBytes, (uint)vcpu.Registers[i]);
        for (int i = 0; isSaved && i < layout.SegmentCount; i++)
        {
            ushort selector = SegmentRegisters.Get(vcpu.System, SegmentName(i)).Selector;
            isSaved = TryWriteWord(vcpu, task, layout.Segments + (i * layout.WordBytes), 2, selector);
        }

        return isSaved;
    }

    private static bool TryReadWord(Vcpu vcpu, SegmentRegister task, int offset, int bytes, out uint value)
    {
        if (bytes == 4)
            return vcpu.Data.TryReadImplicit(task.Base + (uint)offset, out value);
        bool isRead = vcpu.Data.TryReadImplicit(task.Base + (uint)offset, out ushort narrow);
        value = narrow;
        return isRead;
    }

    private static bool TryWriteWord(Vcpu vcpu, SegmentRegister task, int offset, int bytes, uint value) => bytes == 4
        ? vcpu.Data.TryWriteImplicit(task.Base + (uint)offset, value, isStack: false)
        : vcpu.Data.TryWriteImplicit(task.Base + (uint)offset, (ushort)value, isStack: false);

    /// <summary>EAX to EDI.</summary>
    [InlineArray(Count)]
    internal struct GeneralRegisters
    {
        public const int Count = 8;
        private uint _first;
    }

    /// <summary>ES, CS, SS, DS, FS, GS.</summary>
    [InlineArray(Count)]
    internal struct SegmentSelectors
    {
        public const int Count = 6;
        private ushort _first;
    }
}
