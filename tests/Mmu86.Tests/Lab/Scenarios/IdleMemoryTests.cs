using System.Text;
using Iced.Intel;
using Mmu86.Lab;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Machines;
using Mmu86.Lab.Scenarios;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace Mmu86.Tests.Lab.Scenarios;

/// <summary>Two machines with equal shares on a host too small for both; one of them is done with most of its memory.</summary>
public sealed class IdleMemoryTests
{
    private const int Pages = 700;
    private const ulong FirstPage = 0x20_0000;

    [Fact]
    public void Run_TaxOnIdleMemory_MovesItToWhoUsesIt()
    {
        VmsReport untaxed = Run(0);
        VmsReport taxed = Run(75);

        (ulong idle, ulong busy) before = AtEnd(untaxed);
        (ulong idle, ulong busy) after = AtEnd(taxed);

        // ESX's experiment: about half each without tax; with 75 percent the idle machine falls and the busy one gains a third or more of throughput.
        Assert.InRange(before.idle, before.busy * 8 / 10, before.busy * 12 / 10);
        Assert.True(after.busy > after.idle * 2, $"{after}");
        Assert.True(taxed.Machines[1].Instructions > untaxed.Machines[1].Instructions * 13 / 10,
            $"{untaxed.Machines[1].Instructions} became {taxed.Machines[1].Instructions}");
    }

    [Fact]
    public void Run_Sampling_TellsWhoUsesItsMemory()
    {
        VmsMoment last = Run(75).Timeline[^2];

        Assert.InRange(last.Machines[0].Active!.Value, 0UL, last.Machines[0].Resident / 4);
        Assert.InRange(last.Machines[1].Active!.Value, last.Machines[1].Resident * 3 / 4, last.Machines[1].Resident);
    }

    private static (ulong Idle, ulong Busy) AtEnd(VmsReport report) => (report.Timeline[^2].Machines[0].Resident, report.Timeline[^2].Machines[1].Resident);

    private static VmsReport Run(int tax)
    {
        string json = $$"""
            { "schema": "mmu86.scenario/1", "hostMemory": "4M", "swap": { "size": "32M" },
              "policy": { "reclaim": "shares", "idleTaxPercent": {{tax}}, "samplePeriod": 2000000 },
              "machines": [ { "name": "idle", "program": "idle", "memory": "8M" }, { "name": "busy", "program": "busy", "memory": "8M" } ],
              "limits": { "time": 60000000 } }
            """;
        Scenario scenario = ScenarioJson.Read(
            Encoding.UTF8.GetBytes(json),
            new ScenarioReading
            {
                Name = "tax",
                Folder = "",
                Machine = MachineCatalogue.Find("skylake", ["mmu.nested.largestPage=4k"]),
                Fidelity = Fidelity.Tlb,
                ScaleFactor = 1,
                ScaleDivisor = 1,
                HostMemoryBytes = null,
                Seed = 1,
                FindProgram = (string program, IReadOnlyList<string> arguments, ulong _, out string problem) =>
                {
                    problem = "";
                    return new ProgramImage { Name = program, Bytes = Assemble(program == "busy"), Arguments = arguments };
                },
            },
            out IReadOnlyList<ConfigurationError> errors)
            ?? throw new InvalidOperationException(string.Join('\n', errors));
        return new ScenarioRunner(scenario) { AuditsIsolation = true }.Run(CancellationToken.None);
    }

    // Touches every page once. Then for ever: works on pages at random, or on the last alone.
    private static byte[] Assemble(bool isBusy)
    {
        var c = new Assembler(64);
        Label page = c.CreateLabel();
        Label next = c.CreateLabel();
        Label work = c.CreateLabel();
        c.mov(rdi, FirstPage);
        c.mov(ecx, Pages);
        c.Label(ref page);
        c.add(__qword_ptr[rdi], rcx);
        c.add(rdi, 4096);
        c.dec(ecx);
        c.jnz(page);
        c.mov(rsi, 6364136223846793005);
        c.mov(rbx, 1);
        c.lea(rdi, __[rdi - 4096]);
        c.Label(ref next);
        if (isBusy)
        {
            c.imul(rbx, rsi);
            c.add(rbx, 1);
            c.mov(rax, rbx);
            c.shr(rax, 33);
            c.imul(rax, rax, Pages);
            c.shr(rax, 31);
            c.shl(rax, 12);
            c.lea(rdi, __[rax + (int)FirstPage]);
        }

        c.mov(ecx, 500);
        c.Label(ref work);
        c.add(__qword_ptr[rdi], rcx);
        c.dec(ecx);
        c.jnz(work);
        c.jmp(next);
        var code = new MemoryStream();
        c.Assemble(new StreamCodeWriter(code), 0);
        return code.ToArray();
    }
}
