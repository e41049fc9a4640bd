using Mmu86.Bench.Programs;

namespace Mmu86.Bench.Peers;

/// <summary>Mmu86 as users start it, in the fidelity that models what the others model.</summary>
/// <param name="program">The command <c>mmu86</c>.</param>
internal sealed class Mmu86Emulator(string program) : Emulator("mmu86 fast")
{
    public override (double CpuSeconds, string Output) Run(PeerImage image, string folder, TimeSpan timeout)
    {
        ChildProcess process = ChildProcess.Run(
            program, ["run", image.ElfPath, "--fidelity", "fast", "--memory", $"{KernelCatalogue.MemoryBytes >> 20}M", "--quiet"], folder, timeout);
        Require(process.Status == 1, process);
        return (process.CpuSeconds, process.Output);
    }
}

/// <summary>QEMU's system emulation without acceleration: one CPU, one thread that translates and runs.</summary>
internal sealed class QemuEmulator() : Emulator("QEMU TCG")
{
    public override (double CpuSeconds, string Output) Run(PeerImage image, string folder, TimeSpan timeout)
    {
        ChildProcess process = ChildProcess.Run(
            "qemu-system-x86_64",
            [
                "-accel", "tcg,thread=single", "-smp", "1", "-cpu", "qemu64", "-m", $"{KernelCatalogue.MemoryBytes >> 20}",
                "-drive", $"format=raw,file={image.DiskPath},snapshot=on", "-serial", "stdio", "-display", "none", "-monitor", "none",
                "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-no-reboot", "-nodefaults",
            ],
            folder,
            timeout);
        Require(process.Status == 1, process);
        return (process.CpuSeconds, process.Output);
    }
}

/// <summary>Debian's Bochs without a screen.</summary>
internal sealed class BochsEmulator() : Emulator("Bochs")
{
    public override (double CpuSeconds, string Output) Run(PeerImage image, string folder, TimeSpan timeout)
    {
        string serial = Path.Combine(folder, "serial.txt");

        // The VNC display needs no screen, sound would need a card, and Debian's build starts in its debugger.
        File.WriteAllText(Path.Combine(folder, "settings"), $"""
            config_interface: textconfig
            display_library: rfb, options="timeout=0"
            sound: driver=dummy
            speaker: enabled=0
            megs: {KernelCatalogue.MemoryBytes >> 20}
            romimage: file=/usr/share/bochs/BIOS-bochs-latest
            vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
            cpu: model=corei7_haswell_4770, ips=50000000
            clock: sync=none
            ata0-master: type=disk, path="{image.DiskPath}", mode=flat, cylinders={image.Cylinders}, heads=16, spt=63
            boot: disk
            com1: enabled=1, mode=file, dev={serial}
            log: {Path.Combine(folder, "log.txt")}
            panic: action=fatal

            """);
        File.WriteAllText(Path.Combine(folder, "commands"), "continue\n");
        ChildProcess process = ChildProcess.Run("bochs", ["-q", "-f", "settings", "-rc", "commands"], folder, timeout);
        Require(File.Exists(serial), process);
        return (process.CpuSeconds, File.ReadAllText(serial));
    }
}
