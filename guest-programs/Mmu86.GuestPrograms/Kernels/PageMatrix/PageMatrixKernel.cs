using System.Buffers.Binary;
using System.Text;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The code of <c>kernel-page-matrix</c>.</summary>
/// <remarks>
/// A case writes the entries that translate one page, says INVLPG, and makes four accesses: one, the same again with the TLB warm, another with the
/// TLB warm, and the first again after INVLPG. Of each the digest takes error code and CR2 or success, what was read, what is in memory, and what
/// the processor changed in the entries.
/// </remarks>
internal sealed class PageMatrixKernel
{
    /// <summary>How many sets of controls there are.</summary>
    public const int ControlSets = 1 << ControlBits;

    private const int ControlBits = 3;


    /// <summary>Room for what a fault from ring 3 pushes at the end of the stack.</summary>
    private const int StackKept = 4096;

    private readonly GuestAssembler _guest;
    private readonly Assembler _code;
    private readonly KernelSupport _kernel;
    private readonly PageMatrixProcessor _processor;
    private readonly PageMatrixTables _tables;
    private readonly PageMatrixProbe _probe;
    private readonly ulong _stride;
    private readonly ulong _flags;
    private readonly ulong _others;
    private readonly ulong _second;
    private readonly ulong _controlNames;
    private readonly ulong _variables;

    public PageMatrixKernel(GuestAssembler guest, ulong stride)
    {
        _guest = guest;
        _code = guest.Code;
        _stride = stride;
        _kernel = new KernelSupport(guest);
        _variables = guest.Reserve("variables", 8 * 9, 8);
        _processor = new PageMatrixProcessor(guest);
        _tables = new PageMatrixTables(guest, _kernel.Pml4);
        _probe = new PageMatrixProbe(guest, _kernel, _tables);
        _flags = AddWords("flags", Enumerable.Range(0, PageMatrixCases.FlagValues).Select(PageMatrixCases.Flags));
        _others = AddWords("others", from executeDisable in new[] { false, true }
                                     from number in Enumerable.Range(0, PageMatrixCases.OtherValues)
                                     from word in new[] { ~PageMatrixCases.OtherCleared(number, executeDisable), PageMatrixCases.OtherSet(number, executeDisable) }
                                     select word);
        _second = AddWords("second_accesses", PageMatrixCases.SecondAccess.Select(access => (ulong)access));
        _controlNames = AddControlNames();
    }

    private ulong Controls => _variables;

    private ulong FlagCount => _variables + 8;

    private ulong KindCount => _variables + 16;

    private ulong Others => _variables + 24;

    private ulong CaseCount => _variables + 32;

    private ulong Cases => _variables + 40;

    private ulong Digest => _variables + 48;

    private ulong WriteProtect => _variables + 56;

    private ulong First => _variables + 64;

    public void Emit()
    {
        _kernel.EmitStart(globality: 0);
        _code.sub(rsp, StackKept);
        _processor.EmitStart(_tables.WidthKinds);
        _probe.EmitStart();
        _guest.Load(r15, _tables.Page);
        _guest.Load(rax, PageMatrixCases.DigestStart);
        _code.mov(__qword_ptr[Digest], rax);
        _guest.BeginMeasured();
        EmitGroups();
        _guest.EndMeasured();
        _guest.Print("digest ");
        _code.mov(rax, __qword_ptr[Digest]);
        _guest.PrintHexadecimal();
        _guest.Print(" of ");
        _code.mov(rax, __qword_ptr[Cases]);
        _guest.PrintDecimal();
        _guest.Print(" cases\n");
        _guest.Exit();
        _probe.EmitFunctions();
        _kernel.EmitUnexpectedExceptions();
    }

    /// <summary>The loops over groups and controls.</summary>
    private void EmitGroups()
    {
        Label group = _code.CreateLabel(), controls = _code.CreateLabel(), nextControls = _code.CreateLabel(), nextGroup = _code.CreateLabel();
        _guest.Load(rbx, _tables.Descriptors);
        _code.Label(ref group);
        _code.mov(rax, __[rbx + PageMatrixTables.Needs]);
        _code.test(__qword_ptr[_processor.Absent], rax);
        _code.jnz(nextGroup);
        _code.mov(__qword_ptr[Controls], 0);
        _code.Label(ref controls);
        _code.mov(rax, __qword_ptr[Controls]);
        _code.test(__qword_ptr[_processor.AbsentControls], rax);
        _code.jnz(nextControls);
        EmitCounts(nextControls);
        _processor.EmitSetControls(Controls);
        EmitFirstCase();
        _guest.Load(rbp, PageMatrixCases.DigestStart);
        EmitWriteProtectLoop();
        EmitLine();
        _code.Label(ref nextControls);
        _code.inc(__qword_ptr[Controls]);
        _code.cmp(__qword_ptr[Controls], ControlSets);
        _code.jb(controls);
        _code.Label(ref nextGroup);
        _code.add(rbx, PageMatrixTables.DescriptorBytes);
        _code.cmp(rbx, (int)_tables.Descriptors + (PageMatrixTables.DescriptorBytes * PageMatrixGroup.All.Count));
        _code.jb(group);
    }

    /// <summary>How many cases the group has under these controls; where it has none it has no line.</summary>
    private void EmitCounts(Label none)
    {
        const int OtherBytes = 16 * PageMatrixCases.OtherValues, Alignments = 2;
        _code.mov(rcx, __qword_ptr[Controls]);
        _code.and(ecx, (int)PageMatrixControls.ExecuteDisable);
        _code.mov(rax, __[rbx + (rcx * 8) + PageMatrixTables.KindCounts]);
        _code.mov(__qword_ptr[KindCount], rax);
        _code.test(rax, rax);
        _code.jz(none);

        // Without NXE, XD would be one of the reserved bits.
        _code.mov(edx, PageMatrixCases.FlagValues / 2);
        _code.shl(edx, cl);
        _code.mov(__qword_ptr[FlagCount], rdx);
        _code.imul(rax, rdx);
        _code.imul(rax, __[rbx + PageMatrixTables.AccessCount]);
        _code.imul(rax, rax, PageMatrixCases.OtherValues * Alignments);
        _code.mov(__qword_ptr[CaseCount], rax);
        _code.imul(rcx, rcx, OtherBytes);
        _code.add(rcx, (int)_others);
        _code.mov(__qword_ptr[Others], rcx);
    }

    /// <summary>Where the line begins depends on nothing but its place in the list: what else a processor has must not change its digest.</summary>
    private void EmitFirstCase()
    {
        _code.mov(rax, __[rbx + PageMatrixTables.Number]);
        _code.shl(rax, ControlBits);
        _code.add(rax, __qword_ptr[Controls]);
        _code.xor(edx, edx);
        _guest.Load(rcx, _stride);
        _code.div(rcx);
        _code.mov(r14, rdx);
    }

    private void EmitWriteProtectLoop()
    {
        Label again = _code.CreateLabel();
        _code.mov(__qword_ptr[WriteProtect], 0);
        _code.Label(ref again);
        _processor.EmitSetWriteProtect(WriteProtect);
        EmitCases();
        _code.inc(__qword_ptr[WriteProtect]);
        _code.cmp(__qword_ptr[WriteProtect], 2);
        _code.jb(again);
    }

    /// <summary>Every so many cases. What is left of the stride at the end is where the next pass begins, so that each begins elsewhere.</summary>
    private void EmitCases()
    {
        Label next = _code.CreateLabel(), done = _code.CreateLabel();
        _code.Label(ref next);
        _code.cmp(r14, __qword_ptr[CaseCount]);
        _code.jae(done);
        EmitDecode();
        EmitEntries();
        _code.invlpg(__[r15]);
        _probe.EmitCall();
        _probe.EmitCall();
        _code.mov(__qword_ptr[First], r12);
        _code.mov(r12, __[(r12 * 8) + (int)_second]);
        _probe.EmitCall();
        _code.mov(r12, __qword_ptr[First]);
        _code.invlpg(__[r15]);
        _probe.EmitCall();
        _code.inc(__qword_ptr[Cases]);
        _guest.AddConstant(r14, _stride);
        _code.jmp(next);
        _code.Label(ref done);
        _code.sub(r14, __qword_ptr[CaseCount]);
    }

    /// <summary>Takes the case number apart: R8 what is set in the varied entry, RSI the other entry's change, R12 the access, R13 RFLAGS.AC.</summary>
    private void EmitDecode()
    {
        _code.mov(rax, r14);
        _code.xor(edx, edx);
        _code.div(__dword_ptr[FlagCount]);
        _code.mov(r8, __[(rdx * 8) + (int)_flags]);
        _code.xor(edx, edx);
        _code.div(__dword_ptr[KindCount]);
        _code.mov(rcx, __[rbx + PageMatrixTables.Kinds]);
        _code.or(r8, __[rcx + (rdx * 8)]);
        _code.xor(edx, edx);
        _code.mov(ecx, PageMatrixCases.OtherValues);
        _code.div(ecx);
        _code.shl(edx, 4);
        _code.mov(rsi, __qword_ptr[Others]);
        _code.add(rsi, rdx);
        _code.xor(edx, edx);
        _code.div(__dword_ptr[rbx + PageMatrixTables.AccessCount]);
        _code.add(rdx, __[rbx + PageMatrixTables.FirstAccess]);
        _code.mov(r12, rdx);
        _code.mov(r13, rax);
    }

    private void EmitEntries()
    {
        for (int level = 0; level < PageMatrixTables.Levels; level++)
        {
            _code.mov(rax, __[rbx + (PageMatrixTables.Bases + (8 * level))]);
            _code.mov(__qword_ptr[_probe.Written + (ulong)(8 * level)], rax);
        }

        _code.mov(rcx, __[rbx + PageMatrixTables.Varied]);
        _code.mov(rax, __[(rcx * 8) + (int)_probe.Written]);
        _code.and(rax, ~(int)PagingFlags.User);
        _code.or(rax, r8);
        _code.mov(__[(rcx * 8) + (int)_probe.Written], rax);
        _code.mov(rcx, __[rbx + PageMatrixTables.Other]);
        _code.mov(rax, __[(rcx * 8) + (int)_probe.Written]);
        _code.and(rax, __[rsi]);
        _code.or(rax, __[rsi + 8]);
        _code.mov(__[(rcx * 8) + (int)_probe.Written], rax);
        for (int level = 0; level < PageMatrixTables.Levels; level++)
        {
            _code.mov(rax, __qword_ptr[_probe.Written + (ulong)(8 * level)]);
            _code.mov(__qword_ptr[_tables.Entry(level)], rax);
        }
    }

    private void EmitLine()
    {
        _code.mov(rsi, __[rbx + PageMatrixTables.Name]);
        _code.mov(rdx, __[rbx + PageMatrixTables.NameLength]);
        _guest.PrintBytes();
        _code.mov(rax, __qword_ptr[Controls]);
        _code.shl(eax, 4);
        _code.mov(rsi, __[rax + (int)_controlNames]);
        _code.mov(rdx, __[rax + ((int)_controlNames + 8)]);
        _guest.PrintBytes();
        _code.mov(rax, rbp);
        _guest.PrintHexadecimal();
        _guest.Print("\n");
        _code.xor(rbp, __qword_ptr[Digest]);
        _guest.Load(rax, PageMatrixCases.DigestPrime);
        _code.imul(rbp, rax);
        _code.mov(__qword_ptr[Digest], rbp);
    }

    private ulong AddControlNames()
    {
        var words = new List<ulong>();
        foreach (int set in Enumerable.Range(0, ControlSets))
        {
            byte[] name = Encoding.ASCII.GetBytes(PageMatrixReference.Name((PageMatrixControls)set));
            words.Add(_guest.AddData("", name, 1));
            words.Add((ulong)name.Length);
        }

        return AddWords("control_names", words);
    }

    private ulong AddWords(string name, IEnumerable<ulong> words)
    {
        byte[] bytes = [.. words.SelectMany(BitConverter.GetBytes)];
        return _guest.AddData(name, bytes, 8);
    }
}
