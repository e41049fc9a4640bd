using System.Diagnostics;
using System.Runtime.InteropServices;
using Xunit;

namespace Mmu86.Tests.GuestPrograms;

/// <summary>Runs a program outside of the emulator and collects what it prints. What does not end in time is killed and fails the test.</summary>
internal sealed class GuestProcess : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("mmu86-guest-");

    /// <summary>Skips the calling test where the host cannot execute ring-3 images itself.</summary>
    public static void RequireLinuxX64() => Skip.IfNot(
        OperatingSystem.IsLinux() && RuntimeInformation.OSArchitecture == Architecture.X64, "skipped: the host is not Linux on x86-64");

    /// <summary>Writes a file that lives as long as this object.</summary>
    /// <returns>Its path.</returns>
    public string WriteFile(string name, byte[] content)
    {
        string path = Path.Combine(_folder.FullName, name);
        File.WriteAllBytes(path, content);
        return path;
    }

    /// <summary>A path for a file that somebody else writes.</summary>
    public string PathOf(string name) => Path.Combine(_folder.FullName, name);

    /// <summary>Executes a ring-3 image on the host CPU.</summary>
    public (int Status, string Output) RunNatively(byte[] image)
    {
        RequireLinuxX64();
        string path = WriteFile("guest", image);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return Run(path, []);
    }

    /// <summary>Executes a program and waits for its end, a minute at most.</summary>
    public (int Status, string Output) Run(string program, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            WorkingDirectory = _folder.FullName,
        };
        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(TimeSpan.FromMinutes(1)))
        {
            process.Kill();
            process.WaitForExit();
            Assert.Fail($"{Path.GetFileName(program)} did not end; so far it printed: {output.Result}");
        }

        return (process.ExitCode, output.Result);
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
