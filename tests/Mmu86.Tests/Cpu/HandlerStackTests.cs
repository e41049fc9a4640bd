using System.Reflection;
using System.Runtime.CompilerServices;
using Mmu86.Cpu;
using Mmu86.Tests.Paging;
using Xunit;

namespace Mmu86.Tests.Cpu;

/// <summary>No handler grows the stack: each ends in a jump to the next op, not in a call. See docs/decisions/0001.</summary>
/// <remarks>
/// The JIT makes the jump only where it can. An address-taken local, NoInlining or code that is not optimised makes it a call without a
/// word; a chunk of 16384 instructions is too short to overflow the stack by that, so nothing else would notice.
/// </remarks>
public sealed class HandlerStackTests : IClassFixture<HandlerStackTests.Prototypes>
{
    private const int Copies = 1000;

    // They return to the run loop, so no op follows them.
    private static readonly string[] Leavers = ["Leaving.Before", "Leaving.Fault", "Leaving.DivideError", "Leaving.ToNonCanonical", "Leaving.ToWideRegister", "Jumps.Unresolved"];

    // Only slow handlers go there: Handlers_FilterEmpty_* run through them.
    private static readonly string[] SlowSide = ["Leaving.AfterSlow", "Leaving.AfterSlowTerminal"];

    private readonly Prototypes _prototypes;

    public HandlerStackTests(Prototypes prototypes) => _prototypes = prototypes;

    /// <summary>Every op that handlers run, found once for all tests.</summary>
    public sealed class Prototypes
    {
        internal IReadOnlyList<HandlerPrototype> All { get; } = HandlerPrototype.All();
    }

    [Fact]
    public void Handlers_FilterWarm_LeaveTheStackAsItWas()
    {
        using var machine = new HandlerMachine(Machines.Ideal);
        var failures = new List<string>();
        foreach (HandlerPrototype prototype in _prototypes.All)
        {
            ulong before = machine.SlowLookups;
            Compare(machine, prototype, failures);
            if (machine.SlowLookups != before)
                failures.Add($"{prototype.Text}: the filter did not answer, so this was not the fast side");
        }

        Assert.Empty(failures);
    }

    [Fact]
    public void Handlers_FilterEmpty_LeaveTheStackAsItWas()
    {
        using var machine = new HandlerMachine(Machines.Uncached);
        var failures = new List<string>();
        foreach (HandlerPrototype prototype in _prototypes.All.Where(prototype => prototype.Lookups != 0 && !prototype.IsComputed))
        {
            ulong before = machine.SlowLookups;
            Compare(machine, prototype, failures);
            if (machine.SlowLookups - before != (ulong)((Copies + 1) * prototype.Lookups))
                failures.Add($"{prototype.Text}: {machine.SlowLookups - before} lookups");
        }

        Assert.Empty(failures);
    }

    [Fact]
    public void ComputedJumps_FilterEmpty_ReturnToTheRunLoop()
    {
        using var machine = new HandlerMachine(Machines.Uncached);
        foreach (HandlerPrototype prototype in _prototypes.All.Where(prototype => prototype.Lookups != 0 && prototype.IsComputed))
        {
            machine.Build(prototype, 1);
            Assert.Null(machine.Run());
            Assert.Equal(LeaveReason.Lookup, machine.Leave);
        }
    }

    [Fact]
    public unsafe void SecondFetch_FilterEmpty_LeavesTheStackAsItWas()
    {
        using var machine = new HandlerMachine(Machines.Uncached);

        // A NOP of four bytes, two of them in the next page. No fetch table answers for that page on this machine.
        Assert.Equal(VmExitReason.InstructionLimit, machine.RunDecoded(4094, [0x0F, 0x1F, 0x40, 0x00]).Reason);
        HandlerPrototype prototype = machine.FindDecoded(Handlers.Of(&Managed.CrossPage));

        var failures = new List<string>();
        ulong before = machine.Vcpu.Mmu.Statistics.L1Instruction.Lookups;
        Compare(machine, prototype, failures);

        Assert.Empty(failures);
        Assert.Equal(Copies + 1UL, machine.Vcpu.Mmu.Statistics.L1Instruction.Lookups - before);
    }

    [Fact]
    public void EveryHandler_ButThoseThatLeave_IsRunByTheseTests()
    {
        using var machine = new HandlerMachine(Machines.Ideal);
        foreach (HandlerPrototype prototype in _prototypes.All)
        {
            machine.Build(prototype, 1);
            machine.Run();
        }

        HashSet<nint> run = [.. _prototypes.All.Select(prototype => prototype.Code)];
        IEnumerable<string> others = HandlerMethods.All()
            .Where(handler => !HandlerMethods.EntryPoints(handler).Any(entry => HandlerPointers.TryFollow(entry, out nint code) && run.Contains(code)))
            .Select(HandlerMethods.NameOf);
        Assert.Equal(Leavers.Concat(SlowSide).Order(), others.Order());
    }

    [Fact]
    public void EveryHandler_IsOptimisedAtOnceAndNothingElse()
    {
        const MethodImplAttributes handler = (MethodImplAttributes)MethodImplOptions.AggressiveOptimization;
        const MethodImplAttributes ending = handler | MethodImplAttributes.NoInlining;
        IEnumerable<string> others = HandlerMethods.All()
            .Where(method => method.MethodImplementationFlags != (s_endings.Contains(HandlerMethods.NameOf(method)) ? ending : handler))
            .Select(HandlerMethods.NameOf);
        Assert.Empty(others);
    }

    // These return to the run loop and make no call in tail position.
    private static readonly string[] s_endings =
        ["Leaving.At", "Leaving.Before", "Leaving.Fault", "Leaving.DivideError", "Leaving.ToNonCanonical", "Leaving.ToWideRegister"];

    private static void Compare(HandlerMachine machine, HandlerPrototype prototype, List<string> failures)
    {
        machine.Build(prototype, 1);
        long? one = machine.Run();
        machine.Build(prototype, Copies);
        long? many = machine.Run();
        if (one is null || many is null)
            failures.Add($"{prototype.Text}: left for {machine.Leave} before its end");
        else if (one != many)
            failures.Add($"{prototype.Text}: {(many - one) / (Copies - 1.0)} bytes of stack a copy");
    }
}
