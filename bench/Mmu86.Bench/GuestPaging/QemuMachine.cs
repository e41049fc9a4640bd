using Mmu86.Bench.Peers;

namespace Mmu86.Bench.GuestPaging;

/// <summary>Runs guests in QEMU without acceleration: one CPU, one thread that translates and runs.</summary>
/// <param name="timeout">Of one run.</param>
internal sealed class QemuMachine(TimeSpan timeout)
{
    private const string Program = "qemu-system-x86_64";

    // The shell's status of a program that SIGKILL ended.
    private const int Killed = 128 + 9;

    // A memory cgroup of Linux kills what swaps fast now and then, although swap has room: every page may be on the active list when it looks.
    private const int MostKills = 20;

    /// <summary>How many runs a memory cgroup killed; they were made again.</summary>
    public int Kills { get; private set; }

    /// <summary>Runs a guest to its end.</summary>
    /// <param name="guest">The guest.</param>
    /// <param name="folder">An empty folder, in which a virtio disk twice as large as the memory is made.</param>
    /// <param name="group">Whose memory it may use; null for all there is.</param>
    /// <returns>Time, pages that the computer swapped in where there is a group, and the debug console.</returns>
    public (PagingRun Run, string Debug) Run(PagingGuest guest, string folder, MemoryGroup? group)
    {
        string disk = Path.Combine(folder, "disk"), debug = Path.Combine(folder, "debug");
        using (FileStream file = File.Create(disk))
            file.SetLength(2L * guest.MemoryMebibytes << 20);
        string[] words =
        [
            Program, "-accel", "tcg,thread=single", "-smp", "1", "-cpu", "qemu64", "-m", $"{guest.MemoryMebibytes}", "-nodefaults", "-no-reboot",
            "-display", "none", "-monitor", "none", "-serial", "stdio", "-debugcon", $"file:{debug}",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
            "-drive", $"format=raw,file={guest.BootPath},snapshot=on,if=none,id=boot", "-device", "ide-hd,drive=boot,bootindex=0",
            "-drive", $"format=raw,file={disk},if=none,id=disk", "-device", "virtio-blk-pci,disable-modern=on,drive=disk",
        ];
        double swappedIn = 0;
        ChildProcess process = group is null ? ChildProcess.Run(words[0], words[1..], folder, timeout) : RunIn(group, words, folder, out swappedIn);
        if (process.Status != 1 || process.Output != guest.ExpectedOutput)
            throw new MeasurementException($"QEMU ended with status {process.Status}: {process.Output}{process.Error}");
        return (new PagingRun(process.CpuSeconds, process.WallSeconds, swappedIn), File.ReadAllText(debug));
    }

    private ChildProcess RunIn(MemoryGroup group, string[] words, string folder, out double swappedIn)
    {
        int kills = 0;
        while (true)
        {
            double before = MemoryGroup.SwappedIn;
            ChildProcess process = ChildProcess.Run("sh", ["-c", "echo $$ > \"$0\" && exec \"$@\"", group.ProcessFile, .. words], folder, timeout);
            swappedIn = MemoryGroup.SwappedIn - before;
            if (process.Status != Killed || ++kills > MostKills)
                return process;
            Kills++;
        }
    }
}
