using Mmu86.GuestPrograms;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>Runs ring-0 images in other emulators, from a boot image.</summary>
internal static class PeerEmulators
{
    private const string BochsBios = "/usr/share/bochs/BIOS-bochs-latest";
    private const string BochsVideoBios = "/usr/share/bochs/VGABIOS-lgpl-latest";
    private const string Haswell = "corei7_haswell_4770";

    // Under KVM QEMU's models have the host's vendor unless told otherwise, and reserved bits go by it.
    private const string IntelProcessor = "Skylake-Client-noTSX-IBRS,vendor=GenuineIntel";
    private const int CylinderSize = 16 * 63 * 512;

    /// <summary>Runs an image in QEMU's system emulation without acceleration.</summary>
    /// <param name="bareImage">A ring-0 image.</param>
    /// <param name="options">The machine.</param>
    /// <param name="processor">A CPU model that QEMU knows.</param>
    /// <returns>The exit status that the debug exit makes, and what came from the serial port.</returns>
    public static (int Status, string Output) RunInQemu(byte[] bareImage, BootImageOptions options, string processor = "qemu64") =>
        RunInQemu(bareImage, options, "tcg", processor);

    /// <summary>Whether the host's processor has virtualization for KVM to use. Where it has none, KVM is an emulator like others.</summary>
    public static bool HostHasVirtualization() => HostProcessorHas("flags", "vmx") || HostProcessorHas("flags", "svm");

    /// <summary>
    /// Runs an image in KVM: as the host's processor where that is Intel's with virtualization, else as an Intel processor whose tables KVM itself
    /// walks. Skips the calling test where neither can be.
    /// </summary>
    /// <returns>The exit status that the debug exit makes, and what came from the serial port.</returns>
    public static (int Status, string Output) RunOnHost(byte[] bareImage, BootImageOptions options)
    {
        Skip.IfNot(CanOpenKvm(), "skipped: /dev/kvm is not usable");
        bool isIntel = HostProcessorHas("vendor_id", "GenuineIntel");
        Skip.If(HostHasVirtualization() && !isIntel, "skipped: the host's processor is not Intel's");
        return RunInQemu(bareImage, options, "kvm", isIntel ? "host" : IntelProcessor);
    }

    private static (int Status, string Output) RunInQemu(byte[] bareImage, BootImageOptions options, string accelerator, string processor)
    {
        string qemu = TestTiers.RequireProgram("qemu-system-x86_64");
        using var process = new GuestProcess();
        string disk = process.WriteFile("disk.img", BootImage.Create(bareImage, options));
        return process.Run(qemu,
        [
            "-accel", accelerator, "-cpu", processor, "-m", $"{options.MemoryBytes >> 20}", "-drive", $"format=raw,file={disk}", "-serial", "stdio", "-display", "none",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-no-reboot",
        ]);
    }

    /// <summary>Lets QEMU load a multiboot kernel, without acceleration.</summary>
    /// <param name="kernel">The image.</param>
    /// <param name="commandLine">What follows the image's name on the command line.</param>
    /// <param name="memoryBytes">The machine's memory.</param>
    /// <returns>The exit status that the debug exit makes, and what came from the serial port.</returns>
    public static (int Status, string Output) RunKernelInQemu(byte[] kernel, string commandLine, ulong memoryBytes)
    {
        string qemu = TestTiers.RequireProgram("qemu-system-x86_64");
        using var process = new GuestProcess();
        return process.Run(qemu,
        [
            "-accel", "tcg", "-m", $"{memoryBytes >> 20}", "-kernel", process.WriteFile("kernel", kernel), "-append", commandLine, "-serial", "stdio",
            "-display", "none", "-vga", "none", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-no-reboot",
        ]);
    }

    /// <summary>Runs an image in Bochs.</summary>
    /// <param name="bareImage">A ring-0 image.</param>
    /// <param name="options">The machine.</param>
    /// <param name="processor">A CPU model that Bochs knows; without it a Haswell, which has PCIDs.</param>
    /// <returns>What came from the serial port. Bochs has no debug exit and no status.</returns>
    public static string RunInBochs(byte[] bareImage, BootImageOptions options, string processor = Haswell) =>
        RunDiskInBochs(BootImage.Create(bareImage, options), options.MemoryBytes, processor);

    /// <summary>Boots a disk in Bochs.</summary>
    /// <param name="image">The disk: whole cylinders of 16 heads and 63 sectors.</param>
    /// <param name="memoryBytes">The machine's memory.</param>
    /// <param name="processor">A CPU model that Bochs knows.</param>
    /// <returns>What came from the serial port.</returns>
    public static string RunDiskInBochs(byte[] image, ulong memoryBytes, string processor = Haswell)
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
            cpu: model={processor}, ips=50000000
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

    private static bool CanOpenKvm()
    {
        try
        {
            using FileStream device = File.Open("/dev/kvm", FileMode.Open, FileAccess.ReadWrite);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static bool HostProcessorHas(string field, string word) => File.ReadLines("/proc/cpuinfo")
        .Where(line => line.StartsWith(field, StringComparison.Ordinal))
        .Any(line => line.Split(':')[1].Split(' ').Contains(word));
}
