using System.Numerics;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.GuestPrograms;

/// <summary>The program of <see cref="TlbProbeGuest"/>.</summary>
/// <remarks>
/// <para>The basic question is whether some pages fit. They are loaded from in order, round after round, and in the last round each load is
/// timed. They fit where none takes longer than a hit of the level in question. That time is known for the first level from one
/// page that is loaded again and again, for the second from the fastest of the loads that are none, of twice the pages that fit the first.</para>
/// <para>Entries E are the most pages in a row that fit. With 2^s sets and a linear index E/2^s pages at a distance of 2^s fit, and one more does
/// not. With the xor of the two lowest groups of s bits the same is true of the pages whose two groups are equal. The largest s for which one of
/// the two holds is taken: a linear index has the first for every smaller s, too. So few pages would all stay in the first level, so for the
/// second there is a group of pages in the place of each, for as many sets, so that all exceed the first twice and are still fewer than E. With the
/// pages of a group side by side, some linear index looks like an xor; with pages far apart a shorter index like a longer one: both are tried.</para>
/// <para>It does not see: sets that are no power of two, other hashes, replacement, TLBs of instructions and of stores, more than two levels. Where
/// there is no second level it takes the reach of the caches of partial walks for one. It wants a clock without noise, so it is no
/// probe for silicon; and with data caches in the clock (fidelity cycles) a miss of the first of them looks like a miss of the second
/// level, so it is that cache whose lines are told there.</para>
/// </remarks>
internal sealed class TlbProbe
{
    private const int Rounds = 12;
    private const int Entries = 0, SetBits = 8, Index = 16, RecordBytes = 24;
    private const int Linear = 1, Xor = 2;

    private readonly GuestAssembler _guest;
    private readonly Assembler _code;
    private readonly ulong _limit;
    private readonly ulong _first, _second, _bits, _ways, _fits, _tooMany, _pages;
    private Label _measure, _capacity;

    public TlbProbe(GuestAssembler guest, ulong limit)
    {
        _guest = guest;
        _code = guest.Code;
        _limit = limit;
        _first = guest.AddData("first_level", new byte[RecordBytes], 8);
        _second = guest.AddData("second_level", new byte[RecordBytes], 8);
        _bits = guest.AddData("bits", new byte[8], 8);
        _ways = guest.AddData("ways", new byte[8], 8);
        _fits = guest.AddData("fits", new byte[8], 8);
        _tooMany = guest.AddData("too_many", new byte[8], 8);

        // So that the number of a page and its distance from the first differ in bits that no index has.
        _pages = guest.Reserve("pages", PagesBytes, BitOperations.RoundUpToPowerOf2(2 * limit) * guest.PageBytes);
        _measure = _code.CreateLabel();
        _capacity = _code.CreateLabel();
    }

    // E/2^s + 1 groups at a distance of 2^s.
    private ulong PagesBytes => checked(3 * (_limit + 1) * _guest.PageBytes);

    public void Emit()
    {
        Label second = _code.CreateLabel(), report = _code.CreateLabel();
        _guest.TouchPages(_pages, PagesBytes);
        _guest.BeginMeasured();

        // The time of a hit in the first level: threshold 0, so that the fastest load of all is told.
        _code.xor(ebx, ebx);
        EmitPagesInARow();
        _guest.Load(r9, 1);
        _code.call(_measure);
        _code.mov(ebx, r15d);
        EmitLevel(_first, second, report);

        _code.Label(ref second);
        EmitPagesInARow();
        _guest.Load(rax, _limit);
        Fetch(r9, _first + Entries);
        _code.add(r9, r9);
        _code.cmp(r9, rax);
        _code.cmova(r9, rax);
        _code.call(_measure);
        _code.mov(ebx, r15d);
        EmitLevel(_second, report, report);
        _code.Label(ref report);
        _guest.EndMeasured();

        EmitReport();
        _guest.Exit();
        EmitMeasure();
        EmitCapacity();
    }

    // Groups of one page, one page apart.
    private void EmitPagesInARow()
    {
        _code.xor(ecx, ecx);
        _code.xor(ebp, ebp);
        _code.mov(r12d, 1);
        _code.mov(r13d, 1);
    }

    /// <summary>Fills a level's record; EBX is what a hit takes. Goes on at one label, or at the other where more fits than is looked for.</summary>
    private void EmitLevel(ulong record, Label done, Label unbounded)
    {
        Label next = _code.CreateLabel();
        _code.call(_capacity);
        Store(record + Entries, rax);
        _guest.Load(rdx, _limit);
        _code.cmp(rax, rdx);
        _code.jae(unbounded);
        _code.mov(eax, 1);
        Store(_bits, rax);

        _code.Label(ref next);
        Fetch(rcx, _bits);
        Fetch(rax, record + Entries);
        _code.mov(rdx, rax);
        _code.shr(rdx, cl);
        _code.jz(done);
        Store(_ways, rdx);
        _code.shl(rdx, cl);
        _code.cmp(rdx, rax);
        _code.jne(done);
        EmitTry(record, Linear);
        EmitTry(record, Xor);
        Fetch(rax, _bits);
        _code.inc(rax);
        Store(_bits, rax);
        _code.jmp(next);
    }

    /// <summary>Notes the number of sets if as many groups as a set has ways fit where all have the same indexes, and one more does not.</summary>
    private void EmitTry(ulong record, int index)
    {
        Label no = _code.CreateLabel();
        Fetch(rcx, _bits);
        if (index == Xor)
        {
            // Both groups of bits can be equal only while the number of the page fits the group.
            _code.mov(eax, 1);
            _code.shl(rax, cl);
            Fetch(r9, _ways);
            _code.cmp(r9, rax);
            _code.jae(no);
        }

        _code.mov(rbp, index == Xor ? -1 : 0);
        EmitGroups(record, no);
        EmitDoesNotTakeMore(no);
        if (record == _second)
        {
            // The same with pages of the group as far apart as the index reaches.
            EmitGroups(record, no);
            _code.mov(eax, 1);
            _code.shl(rax, cl);
            _code.mov(rdi, rax);
            _code.xor(edx, edx);
            _code.div(r12);
            _code.mov(r13, rax);
            _code.mov(r12, rdi);
            EmitDoesNotTakeMore(no);
        }

        Store(record + SetBits, rcx);
        _code.mov(eax, index);
        Store(record + Index, rax);
        _code.Label(ref no);
    }

    private void EmitDoesNotTakeMore(Label no)
    {
        _code.call(_measure);
        _code.test(r14, r14);
        _code.jnz(no);
        _code.inc(r9);
        _code.call(_measure);
        _code.test(r14, r14);
        _code.jz(no);
    }

    /// <summary>As many groups as ways in R9, the size of a group in R12, its pages side by side; leaves where one group more would exceed the level's entries.</summary>
    private void EmitGroups(ulong record, Label no)
    {
        Fetch(r9, _ways);
        _code.mov(r12d, 1);
        _code.mov(r13d, 1);
        if (record == _second)
        {
            Label larger = _code.CreateLabel(), enough = _code.CreateLabel();
            Fetch(rdx, _first + Entries);
            _code.add(rdx, rdx);
            _code.Label(ref larger);
            _code.mov(rax, r12);
            _code.imul(rax, r9);
            _code.cmp(rax, rdx);
            _code.ja(enough);
            _code.add(r12, r12);
            _code.jmp(larger);
            _code.Label(ref enough);
        }

        _code.lea(rax, __[r9 + 1]);
        _code.imul(rax, r12);
        Fetch(rdx, record + Entries);
        _code.cmp(rax, rdx);
        _code.ja(no);
    }

    /// <summary>The most pages in a row that fit, with hits of at most EBX, in RAX; the limit if all do.</summary>
    /// <remarks>It halves what is between a number that fits and one that does not.</remarks>
    private void EmitCapacity()
    {
        Label halve = _code.CreateLabel(), tooMany = _code.CreateLabel(), done = _code.CreateLabel();
        _guest.BeginFunction("capacity", ref _capacity);
        EmitPagesInARow();
        _guest.Load(r9, _limit);
        Store(_fits, r9);
        _code.call(_measure);
        _code.test(r14, r14);
        _code.jz(done);
        Store(_tooMany, r9);
        _code.xor(eax, eax);
        Store(_fits, rax);
        _code.Label(ref halve);
        Fetch(rax, _fits);
        Fetch(r9, _tooMany);
        _code.add(r9, rax);
        _code.shr(r9, 1);
        _code.cmp(r9, rax);
        _code.je(done);
        _code.call(_measure);
        _code.test(r14, r14);
        _code.jnz(tooMany);
        Store(_fits, r9);
        _code.jmp(halve);
        _code.Label(ref tooMany);
        Store(_tooMany, r9);
        _code.jmp(halve);
        _code.Label(ref done);
        Fetch(rax, _fits);
        _code.ret();
    }

    /// <summary>Loads from R9 groups at a distance of 2^RCX pages. Of the last round: how many took longer than EBX in R14, the least of these times in R15D.</summary>
    /// <remarks>
    /// A group has the pages 0, R13, 2 * R13 and so on below R12; with RBP = -1 these numbers xor the group's. Keeps RBX, RBP, RCX, R9, R12 and R13.
    /// No other page of data is touched between the loads, and lines spread over the data cache.
    /// </remarks>
    private void EmitMeasure()
    {
        Label round = _code.CreateLabel(), group = _code.CreateLabel(), load = _code.CreateLabel(), fast = _code.CreateLabel();
        _guest.BeginFunction("measure", ref _measure);
        _guest.Load(r8, Rounds);
        _code.Label(ref round);
        _code.xor(esi, esi);
        _code.xor(r14d, r14d);
        _code.or(r15, -1);
        _code.Label(ref group);
        _code.xor(r10d, r10d);
        _code.Label(ref load);
        _code.mov(rdi, rsi);
        _code.and(rdi, rbp);
        _code.xor(rdi, r10);
        _code.mov(rax, rsi);
        _code.shl(rax, cl);
        _code.add(rax, rdi);
        SpreadLines.EmitOffset(_code, GuestPageSize.FourKibibytes);
        _code.shl(rax, (byte)ulong.Log2(_guest.PageBytes));
        _guest.Load(r11, _pages);
        _code.add(r11, rax);
        _code.add(r11, rdx);
        _code.lfence();
        _code.rdtsc();
        _code.mov(edi, eax);
        _code.lfence();
        _code.mov(eax, __dword_ptr[r11]);
        _code.lfence();
        _code.rdtsc();
        _code.sub(eax, edi);
        _code.cmp(eax, ebx);
        _code.jbe(fast);
        _code.inc(r14);
        _code.cmp(eax, r15d);
        _code.cmovb(r15d, eax);
        _code.Label(ref fast);
        _code.add(r10, r13);
        _code.cmp(r10, r12);
        _code.jb(load);
        _code.inc(rsi);
        _code.cmp(rsi, r9);
        _code.jb(group);
        _code.dec(r8);
        _code.jnz(round);
        _code.ret();
    }

    private void EmitReport()
    {
        Label some = _code.CreateLabel(), second = _code.CreateLabel(), end = _code.CreateLabel();
        _guest.Print($"tlb-probe up to {_limit} entries\n");
        Fetch(rax, _first + Entries);
        _guest.Load(rdx, _limit);
        _code.cmp(rax, rdx);
        _code.jb(some);
        _guest.Print($"no level: a load takes as long in {_limit} pages as in one\n");
        _code.jmp(end);
        _code.Label(ref some);
        EmitReport(_first, "level 1", second);
        _code.Label(ref second);
        EmitReport(_second, "level 2", end);
        _code.Label(ref end);
    }

    private void EmitReport(ulong record, string name, Label end)
    {
        Label all = _code.CreateLabel(), hidden = _code.CreateLabel(), xor = _code.CreateLabel();
        Fetch(rax, record + Entries);
        _guest.Load(rdx, _limit);
        _code.cmp(rax, rdx);
        _code.jae(all);
        _guest.Print($"{name}: ");
        PrintOf(record, () => { });
        _guest.Print(" entries, ");
        Fetch(rax, record + Index);
        _code.test(rax, rax);
        _code.jz(hidden);
        PrintOf(record, () =>
        {
            Fetch(rcx, record + SetBits);
            _code.mov(eax, 1);
            _code.shl(rax, cl);
        });
        _guest.Print(" sets of ");
        PrintOf(record, () =>
        {
            Fetch(rcx, record + SetBits);
            _code.shr(rax, cl);
        });
        Fetch(rax, record + Index);
        _code.cmp(rax, Xor);
        _code.je(xor);
        _guest.Print(" ways, linear index\n");
        _code.jmp(end);
        _code.Label(ref xor);
        _guest.Print(" ways, xor index\n");
        _code.jmp(end);
        _code.Label(ref hidden);
        _guest.Print("no sets: fully associative, or an index that is neither linear nor xor\n");
        _code.jmp(end);
        _code.Label(ref all);
        _guest.Print($"{name}: at least {_limit} entries\n");
        _code.jmp(end);
    }

    private void PrintOf(ulong record, Action change)
    {
        Fetch(rax, record + Entries);
        change();
        _guest.PrintDecimal();
    }

    private void Fetch(AssemblerRegister64 register, ulong address) => _code.mov(register, __qword_ptr[(long)address]);

    private void Store(ulong address, AssemblerRegister64 register) => _code.mov(__qword_ptr[(long)address], register);
}
