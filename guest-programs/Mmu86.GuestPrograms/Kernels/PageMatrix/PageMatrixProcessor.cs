using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The part of <c>kernel-page-matrix</c> that knows what the processor has and sets its controls.</summary>
internal sealed class PageMatrixProcessor
{
    private const byte WriteProtectBit = 16;
    private const byte AlignmentMaskBit = 18;
    private const byte GlobalEnableBit = 7;
    private const byte ExecutionPreventionBit = 20;
    private const byte AccessPreventionBit = 21;
    private const byte ExecuteDisableEnableBit = 11;
    private const uint ExtendedFeatures = 0xC000_0080;

    private readonly GuestAssembler _guest;
    private readonly Assembler _code;
    private readonly ulong _variables;

    public PageMatrixProcessor(GuestAssembler guest)
    {
        const int Variables = 5;
        _guest = guest;
        _code = guest.Code;
        _variables = guest.Reserve("processor_variables", 8 * Variables, 8);
    }

    /// <summary>A variable: what groups may need and the processor lacks, as in <see cref="PageMatrixTables.Needs"/>.</summary>
    public ulong Absent => _variables;

    /// <summary>A variable: the <see cref="PageMatrixControls"/> that the processor lacks.</summary>
    public ulong AbsentControls => _variables + 8;

    private ulong StartCr0 => _variables + 16;

    private ulong StartCr4 => _variables + 24;

    private ulong StartFeatures => _variables + 32;

    /// <summary>Emits what finds out which groups and controls the processor has. SDM 2, "CPUID". Changes RBX too.</summary>
    /// <param name="widthKinds">Two words that become the address bits which the processor reserves.</param>
    public void EmitStart(ulong widthKinds)
    {
        const uint Features = 0x8000_0001, AddressSizes = 0x8000_0008;
        const int StructuredFeatures = 7, NxBit = 20, LargestPageBit = 26, SmepBit = 7, SmapBit = 20, WidestAddress = 52;
        Label wide = _code.CreateLabel(), old = _code.CreateLabel(), known = _code.CreateLabel();
        _code.mov(eax, Features);
        _code.cpuid();
        EmitAbsent(edx, NxBit, AbsentControls, (int)PageMatrixControls.ExecuteDisable);
        EmitAbsent(edx, LargestPageBit, Absent, PageMatrixTables.NeedsLargestPage);

        _code.mov(eax, AddressSizes);
        _code.cpuid();
        _code.movzx(ecx, al);
        _code.cmp(ecx, WidestAddress);
        _code.jae(wide);
        _code.xor(eax, eax);
        _code.bts(rax, rcx);
        _code.mov(__qword_ptr[widthKinds], rax);
        _guest.Load(rax, 1UL << (WidestAddress - 1));
        _code.mov(__qword_ptr[widthKinds + 8], rax);
        _code.jmp(known);
        _code.Label(ref wide);
        _code.or(__qword_ptr[Absent], PageMatrixTables.NeedsReservedWidth);
        _code.Label(ref known);

        _code.xor(eax, eax);
        _code.cpuid();
        _code.xor(ebx, ebx);
        _code.cmp(eax, StructuredFeatures);
        _code.jb(old);
        _code.mov(eax, StructuredFeatures);
        _code.xor(ecx, ecx);
        _code.cpuid();
        _code.Label(ref old);
        EmitAbsent(ebx, SmepBit, AbsentControls, (int)PageMatrixControls.ExecutionPrevention);
        EmitAbsent(ebx, SmapBit, AbsentControls, (int)PageMatrixControls.AccessPrevention);
        EmitStartControls();
    }

    private void EmitAbsent(AssemblerRegister32 register, int bit, ulong variable, int flag)
    {
        Label present = _code.CreateLabel();
        _code.bt(register, (byte)bit);
        _code.jc(present);
        _code.or(__qword_ptr[variable], flag);
        _code.Label(ref present);
    }

    private void EmitStartControls()
    {
        _code.mov(rax, cr0);
        _code.btr(rax, WriteProtectBit);
        _code.btr(rax, AlignmentMaskBit);
        _code.mov(__qword_ptr[StartCr0], rax);
        _code.mov(rax, cr4);
        foreach (byte bit in new[] { GlobalEnableBit, ExecutionPreventionBit, AccessPreventionBit })
            _code.btr(rax, bit);
        _code.mov(__qword_ptr[StartCr4], rax);
        _code.mov(ecx, ExtendedFeatures);
        _code.rdmsr();
        _code.btr(eax, ExecuteDisableEnableBit);
        _code.mov(__dword_ptr[StartFeatures], eax);
        _code.mov(__dword_ptr[StartFeatures + 4], edx);
    }

    /// <summary>Emits what sets EFER.NXE, CR4.SMEP and CR4.SMAP by the number in a variable.</summary>
    public void EmitSetControls(ulong variable)
    {
        _code.mov(rdi, __qword_ptr[variable]);
        _code.mov(eax, __dword_ptr[StartFeatures]);
        _code.mov(edx, __dword_ptr[StartFeatures + 4]);
        _code.mov(ecx, edi);
        _code.and(ecx, (int)PageMatrixControls.ExecuteDisable);
        _code.shl(ecx, ExecuteDisableEnableBit);
        _code.or(eax, ecx);
        _code.mov(ecx, ExtendedFeatures);
        _code.wrmsr();

        // SMEP and SMAP are neighbours in CR4 as they are in the number of the controls.
        _code.shr(edi, 1);
        _code.shl(edi, ExecutionPreventionBit);
        _code.or(rdi, __qword_ptr[StartCr4]);
        _code.mov(cr4, rdi);
    }

    /// <summary>Emits what sets CR0.WP by a variable that is 0 or 1, and loads CR3 again.</summary>
    public void EmitSetWriteProtect(ulong variable)
    {
        _code.mov(rax, __qword_ptr[variable]);
        _code.shl(rax, WriteProtectBit);
        _code.or(rax, __qword_ptr[StartCr0]);
        _code.mov(cr0, rax);
        _code.mov(rax, cr3);
        _code.mov(cr3, rax);
    }
}
