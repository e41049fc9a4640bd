using System.Text.Json;
using Mmu86.Bench.Peers;

namespace Mmu86.Bench.GuestPaging;

/// <summary>Runs guests in Mmu86's virtual machines, as users start it.</summary>
/// <param name="program">The command <c>mmu86</c>.</param>
/// <param name="timeout">Of one run.</param>
internal sealed class Mmu86Machine(string program, TimeSpan timeout)
{
    /// <summary>A virtual machine by itself; it has a disk twice as large as its memory, in Mmu86's own memory.</summary>
    /// <param name="guest">The guest.</param>
    /// <param name="folder">An empty folder.</param>
    /// <param name="options">The fidelity, and what else there is to say.</param>
    /// <returns>Time, and the debug console.</returns>
    public (PagingRun Run, string Debug) RunAlone(PagingGuest guest, string folder, params string[] options)
    {
        ChildProcess process = ChildProcess.Run(
            program, ["run", guest.ElfPath, "--paging", "nested", "--memory", $"{guest.MemoryMebibytes}M", "--quiet", .. options], folder, timeout);
        Require(process.Status == 1 && process.Output == guest.ExpectedOutput, process);
        return (new PagingRun(process.CpuSeconds, process.WallSeconds, 0), process.Error);
    }

    /// <summary>A virtual machine on a host whose memory is too small for it.</summary>
    /// <param name="guest">The guest.</param>
    /// <param name="folder">An empty folder.</param>
    /// <param name="hostMebibytes">The host's memory.</param>
    /// <param name="compressedMebibytes">The size of the compressed pool before the swap file; 0 for none.</param>
    /// <returns>Time, and as events the pages swapped in.</returns>
    public PagingRun RunOnShortHost(PagingGuest guest, string folder, int hostMebibytes, int compressedMebibytes)
    {
        string pool = compressedMebibytes > 0 ? $", \"compressedPool\": \"{compressedMebibytes}M\"" : "";
        File.WriteAllText(Path.Combine(folder, "scenario.json"), $$"""
            {
              "schema": "mmu86.scenario/1",
              "hostMemory": "{{hostMebibytes}}M",
              "swap": {"size": "1G", "file": "swap", "device": "nvme"{{pool}}},
              "machines": [{"name": "guest", "program": "{{guest.Program}}", "args": {{JsonSerializer.Serialize(guest.Arguments)}}, "memory": "{{guest.MemoryMebibytes}}M"}]
            }
            """);
        ChildProcess process = ChildProcess.Run(program, ["vms", "scenario.json", "--fidelity", "fast", "--quiet", "--json", "-"], folder, timeout);
        Require(process.Status == 0, process);
        using JsonDocument report = JsonDocument.Parse(process.Output);
        JsonElement machine = report.RootElement.GetProperty("machines")[0];
        string output = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.ASCII.GetBytes(guest.ExpectedOutput)));
        Require(machine.GetProperty("outputSha256").GetString() == output, process);
        return new PagingRun(process.CpuSeconds, process.WallSeconds, machine.GetProperty("swapInBytes").GetDouble() / 4096);
    }

    private static void Require(bool isGood, in ChildProcess process)
    {
        if (!isGood)
            throw new MeasurementException($"Mmu86 ended with status {process.Status}: {process.Output}{process.Error}");
    }
}
