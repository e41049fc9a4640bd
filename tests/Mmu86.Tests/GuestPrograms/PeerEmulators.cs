using Mmu86.GuestPrograms;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>Runs ring-0 images in other emulators, from a boot image.</summary>
internal static class PeerEmulators
{
    private const string BochsBios = "/usr/share/bochs/BIOS-bochs-latest";
    private const string BochsVideoBios = "/usr/share/bochs/VGABIOS-lgpl-latest";
    private const int CylinderSize = 16 * 63 * 512;

    /// <summary>Runs an image in QEMU's system emulation without acceleration.</summary>
    /// <returns>The exit status that the debug exit makes, and what came from the serial port.</returns>
    public static (int Status, string Output) RunInQemu(byte[] bareImage, BootImageOptions options)
    {
        string qemu = TestTiers.RequireProgram("qemu-system-x86_64");
        using var process = new GuestProcess();
        string disk = process.WriteFile("disk.img", BootImage.Create(bareImage, options));
        return process.Run(qemu,
        [
            "-accel", "tcg", "-m", $"{options.MemoryBytes >> 20}", "-drive", $"format=raw,file={disk}", "-serial", "stdio", "-display", "none",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-no-reboot",
        ]);
    }

    /// <summary>Runs an image in Bochs as a Haswell, which has PCIDs.</summary>
    /// <returns>What came from the serial port. Bochs has no debug exit and no status.</returns>
    public static string RunInBochs(byte[] bareImage, BootImageOptions options) =>
        RunDiskInBochs(BootImage.Create(bareImage, options), options.MemoryBytes);

    /// <summary>Boots a disk in Bochs as a Haswell.</summary>
    /// <param name="image">The disk: whole cylinders of 16 heads and 63 sectors.</param>
    /// <param name="memoryBytes">The machine's memory.</param>
    /// <returns>What came from the serial port.</returns>
    public static string RunDiskInBochs(byte[] image, ulong memoryBytes)
    {
        string bochs = TestTiers.RequireProgram("bochs");
        Skip.IfNot(File.Exists(BochsBios) && File.Exists(BochsVideoBios), "skipped: no BIOS for bochs");
        using var process = new GuestProcess();
        string disk = process.WriteFile("disk.img", image), serial = process.PathOf("serial.txt");

        // The VNC display needs no screen, sound would need a card, and Debian's build starts in its debugger.
        string configuration = $"""
            config_interface: textconfig
            display_library: rfb, options="timeout=0"
            sound: driver=dummy
            speaker: enabled=0
            megs: {memoryBytes >> 20}
            romimage: file={BochsBios}
            vgaromimage: file={BochsVideoBios}
            cpu: model=corei7_haswell_4770, ips=50000000
            ata0-master: type=disk, path="{disk}", mode=flat, cylinders={image.Length / CylinderSize}, heads=16, spt=63
            boot: disk
            com1: enabled=1, mode=file, dev={serial}
            log: {process.PathOf("log.txt")}
            panic: action=fatal
            """;
        string settings = process.WriteFile("settings", System.Text.Encoding.ASCII.GetBytes(configuration));
        string commands = process.WriteFile("commands", "continue\n"u8.ToArray());
        (_, string console) = process.Run(bochs, ["-q", "-f", settings, "-rc", commands]);
        Assert.True(File.Exists(serial), $"Bochs opened no serial port: {console}");
        return File.ReadAllText(serial);
    }
}
