using System.Diagnostics;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace Mmu86.TestKit.HostCpu;

/// <summary>Compiles host-cpu.c once for each version of its source and keeps the program in the folder for temporary files.</summary>
internal static class HostProgram
{
    // Position independent and freestanding, see the head of the source. The handler must not touch vector registers' state.
    private static readonly string[] Options =
    [
        "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-stack-protector", "-fPIE", "-fvisibility=hidden",
        "-mgeneral-regs-only", "-mno-red-zone", "-nostdlib", "-static-pie",
    ];

    /// <summary>The path of the program, compiled where it is not there yet.</summary>
    /// <param name="compiler">The path of gcc.</param>
    /// <exception cref="InvalidOperationException">The compiler failed; the message is its own.</exception>
    public static string Build(string compiler)
    {
        string source = ReadSource();
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Join(' ', Options) + source));
        string folder = Path.Combine(Path.GetTempPath(), $"mmu86-host-cpu-{Convert.ToHexStringLower(hash)[..16]}");
        string program = Path.Combine(folder, "host-cpu");
        if (File.Exists(program))
            return program;

        Directory.CreateDirectory(folder);
        // Under a name of its own first: another test process may be compiling the same source.
        string unfinished = Path.Combine(folder, $"host-cpu-{Environment.ProcessId}-{Guid.NewGuid():n}");
        string sourceFile = unfinished + ".c";
        File.WriteAllText(sourceFile, source);
        Compile(compiler, [.. Options, "-o", unfinished, sourceFile]);
        File.Delete(sourceFile);
        File.Move(unfinished, program, overwrite: true);
        return program;
    }

    private static void Compile(string compiler, string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(compiler, arguments) { RedirectStandardError = true })!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"The compiler refused host-cpu.c: {errors}");
    }

    private static string ReadSource()
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("host-cpu.c")
            ?? throw new InvalidOperationException("host-cpu.c is not embedded.");
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}
