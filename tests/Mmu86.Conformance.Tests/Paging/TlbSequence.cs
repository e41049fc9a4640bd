using Mmu86.Paging;
using Mmu86.TestKit;
using Mmu86.TestKit.Paging;
using Mmu86.X86;

namespace Mmu86.Conformance.Tests.Paging;

/// <summary>One stream of accesses on one machine, answered by the MMU and by the reference TLB.</summary>
internal sealed class TlbSequence(int number, MmuConfiguration configuration, MismatchLog log)
{
    private readonly Random _random = TestSeed.Case(number);
    private ReferenceTlb _reference = new(configuration);
    private readonly Dictionary<(bool IsFetch, TlbAnswer Answer), ulong> _expected = [];
    private int _index;

    /// <summary>Runs the stream up to its end or to the first difference.</summary>
    /// <returns>How many accesses needed no lookup: answered by the filter, and counted as repeated.</returns>
    public (int Filtered, int Repeated) Run(int accesses)
    {
        using var machine = new PagedMachine(configuration);
        var stream = new AccessStream(machine, _random);
        _reference = new ReferenceTlb(configuration) { Tables = stream.PageAt, AreTogether = stream.AreTogether };
        var cpu = new FilteredCpu(machine.Mmu);
        AccessStream.Access last = stream.Next();
        for (_index = 0; _index < accesses; _index++)
        {
            if (_random.Next(40) == 0)
                stream.Disturb(_reference);
            if (machine.Mmu.AttributionIsDue || _random.Next(300) == 0)
                cpu.Attribute();

            AccessStream.Access access = stream.Next();
            if (!Agree(access, Expect(machine, access), cpu.Access(access.Address, access.Kind, access.Mode)))
                return (cpu.Filtered, cpu.Repeated);
            if (_random.Next(8) == 0 && access.Kind != AccessKind.Fetch && !Repeat(machine, cpu, access))
                return (cpu.Filtered, cpu.Repeated);
            if (_random.Next(20) == 0 && !RepeatInTurn(machine, cpu, access, last))
                return (cpu.Filtered, cpu.Repeated);
            last = access;
        }

        CheckTotals(cpu.Count());
        return (cpu.Filtered, cpu.Repeated);
    }

    // Lookups that the MMU says need not be made are made in the reference: all must be first-level hits, and what follows must agree.
    private bool Repeat(PagedMachine machine, FilteredCpu cpu, AccessStream.Access access)
    {
        int times = _random.Next(1, 10);
        if (!cpu.Repeat(access.Address, access.Kind, access.Mode, times))
            return true;
        for (int i = 0; i < times; i++)
        {
            if (!Agree(access, Expect(machine, access), TlbAnswer.FirstLevel))
                return false;
        }

        return true;
    }

    // As a string instruction reads one page and writes another, element by element.
    private bool RepeatInTurn(PagedMachine machine, FilteredCpu cpu, AccessStream.Access source, AccessStream.Access destination)
    {
        source = source with { Kind = AccessKind.Read };
        destination = destination with { Kind = AccessKind.Write };
        foreach (AccessStream.Access access in (AccessStream.Access[])[source, destination])
        {
            if (!Agree(access, Expect(machine, access), cpu.Access(access.Address, access.Kind, access.Mode)))
                return false;
        }

        if (!cpu.MayRepeat(source.Address, source.Kind, source.Mode) || !cpu.MayRepeat(destination.Address, destination.Kind, destination.Mode))
            return true;
        int times = _random.Next(1, 10);
        cpu.Repeat(source.Address, source.Kind, source.Mode, times);
        cpu.Repeat(destination.Address, destination.Kind, destination.Mode, times);
        for (int i = 0; i < times; i++)
        {
            if (!Agree(source, Expect(machine, source), TlbAnswer.FirstLevel) || !Agree(destination, Expect(machine, destination), TlbAnswer.FirstLevel))
                return false;
        }

        return true;
    }

    private TlbAnswer Expect(PagedMachine machine, AccessStream.Access access)
    {
        TlbAnswer expected = _reference.Access(access.Address, access.Kind, machine.Mmu.Context.Pcid, access.Page.Size, access.Page.IsGlobal);
        (bool, TlbAnswer) key = (access.Kind == AccessKind.Fetch, expected);
        _expected[key] = _expected.GetValueOrDefault(key) + 1;
        return expected;
    }

    private bool Agree(AccessStream.Access access, TlbAnswer expected, TlbAnswer got)
    {
        if (expected == got)
            return true;
        log.Add($"seed {TestSeed.Base} machine {number} access {_index}: {access}\n  {Describe()}", expected.ToString(), got.ToString());
        return false;
    }

    private void CheckTotals(MmuStatistics counted)
    {
        ulong Of(bool isFetch, TlbAnswer answer) => _expected.GetValueOrDefault((isFetch, answer));
        ulong Both(TlbAnswer answer) => Of(isFetch: false, answer) + Of(isFetch: true, answer);
        var expected = (Of(true, TlbAnswer.FirstLevel), Of(false, TlbAnswer.FirstLevel), Both(TlbAnswer.SecondLevel), Both(TlbAnswer.Miss), _reference.Prefetched);
        var got = (counted.L1Instruction.Hits, counted.L1Data.Hits, counted.L2.Hits, counted.L2.Misses, counted.Walks.Prefetch);
        if (expected != got)
            log.Add($"seed {TestSeed.Base} machine {number}, totals of l1i hits, l1d hits, l2 hits, l2 misses, prefetches", expected.ToString(), got.ToString());
    }

    private string Describe() =>
        $"look up every access: {configuration.LookUpEveryAccess}; prefetch: {configuration.Prefetch}; " + string.Join("; ", TestMmuConfigurations.Levels(configuration)
            .SelectMany(level => level.Arrays.Select(array =>
                $"{array.Name} {string.Join('+', array.PageSizes)} {array.Sets}x{array.Ways} {array.Hash} {array.Replacement} {array.Serves} together {array.CoalescedPages} slots {level.PcidSlots} {level.Inclusion}")));
}
