using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Mmu86.GuestPrograms;
using Mmu86.TestKit;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>A ring-0 image in QEMU with virtio devices, which the test changes while it runs. It stands still until <see cref="Continue"/>.</summary>
internal sealed class QemuMachine : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly GuestProcess _files = new();
    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Socket _socket;
    private readonly StreamReader _answers;
    private readonly StreamWriter _commands;

    /// <summary>Starts QEMU; skips the calling test where there is none.</summary>
    /// <param name="image">A ring-0 image.</param>
    /// <param name="memoryBytes">The machine's memory.</param>
    /// <param name="diskBytes">The size of a virtio disk of zeros, or 0 for none.</param>
    /// <param name="devices">More options.</param>
    public QemuMachine(byte[] image, ulong memoryBytes, long diskBytes, params string[] devices)
    {
        string qemu = TestTiers.RequireProgram("qemu-system-x86_64");
        string boot = _files.WriteFile("boot.img", BootImage.Create(image, new BootImageOptions { MemoryBytes = memoryBytes }));
        List<string> arguments =
        [
            "-accel", "tcg", "-m", $"{memoryBytes >> 20}", "-nic", "none", "-display", "none", "-no-reboot", "-S", "-serial", "stdio",
            "-drive", $"format=raw,file={boot},if=none,id=boot", "-device", "ide-hd,drive=boot,bootindex=0",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-debugcon", $"file:{_files.PathOf("debug")}",
            "-qmp", $"unix:{_files.PathOf("qmp")},server=on,wait=off", .. devices,
        ];
        if (diskBytes > 0)
        {
            string disk = _files.WriteFile("disk.img", []);
            using (FileStream file = File.OpenWrite(disk))
                file.SetLength(diskBytes);
            arguments.AddRange(["-drive", $"format=raw,file={disk},if=none,id=disk", "-device", "virtio-blk-pci,disable-modern=on,drive=disk"]);
        }

        _process = Process.Start(new ProcessStartInfo(qemu, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        _process.StandardInput.Close();
        _output = _process.StandardOutput.ReadToEndAsync();
        _socket = Connect();
        var stream = new NetworkStream(_socket);
        _answers = new StreamReader(stream, Encoding.UTF8);
        _commands = new StreamWriter(stream, new UTF8Encoding(false)) { AutoFlush = true };
        Ask("qmp_capabilities");
    }

    /// <summary>Lets the machine run.</summary>
    public void Continue() => Ask("cont");

    /// <summary>Asks for a balloon that leaves so much memory, and waits until the guest has seen to it, or has ended, or patience is at an end.</summary>
    /// <returns>What is left of the machine's memory in bytes; null where the guest has ended.</returns>
    public ulong? Balloon(ulong bytes, TimeSpan patience)
    {
        var watch = Stopwatch.StartNew();
        JsonElement? answer = Ask("balloon", $"{{\"value\":{bytes}}}");
        ulong? actual = null;
        while (answer is not null && actual != bytes && watch.Elapsed < patience)
        {
            Thread.Sleep(TimeSpan.FromMilliseconds(20));
            answer = Ask("query-balloon");
            actual = answer?.GetProperty("return").GetProperty("actual").GetUInt64();
        }

        return answer is null ? null : actual;
    }

    /// <summary>Waits for the guest's end.</summary>
    /// <returns>The status that the debug exit makes, what came from the serial port, and what was written to the debug console.</returns>
    public (int Status, string Output, string Debug) WaitForEnd()
    {
        if (!_process.WaitForExit(Patience))
        {
            _process.Kill();
            Assert.Fail($"QEMU did not end; so far it printed: {_output.Result}");
        }

        return (_process.ExitCode, _output.Result, File.ReadAllText(_files.PathOf("debug")));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
        _socket.Dispose();
        _files.Dispose();
    }

    private Socket Connect()
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                socket.Connect(new UnixDomainSocketEndPoint(_files.PathOf("qmp")));
                return socket;
            }
            catch (SocketException) when (watch.Elapsed < Patience && !_process.HasExited)
            {
                socket.Dispose();
                Thread.Sleep(TimeSpan.FromMilliseconds(20));
            }
        }
    }

    /// <summary>Sends a command of QMP.</summary>
    /// <returns>Its answer; null where QEMU has ended.</returns>
    private JsonElement? Ask(string command, string arguments = "{}")
    {
        try
        {
            _commands.WriteLine($"{{\"execute\":\"{command}\",\"arguments\":{arguments}}}");
            while (_answers.ReadLine() is string line)
            {
                JsonElement answer = JsonDocument.Parse(line).RootElement;
                if (answer.TryGetProperty("return", out _) || answer.TryGetProperty("error", out _))
                    return answer;
            }
        }
        catch (IOException)
        {
            // The guest has ended, and QEMU with it.
        }

        return null;
    }
}
