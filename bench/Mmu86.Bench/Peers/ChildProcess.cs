using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Mmu86.Bench.Peers;

/// <summary>What a child process did: its status, its standard output, the CPU time, user and system, of all its threads, and how long it took.</summary>
internal readonly record struct ChildProcess(int Status, string Output, string Error, double CpuSeconds, double WallSeconds)
{
    private const int Children = -1; // RUSAGE_CHILDREN: those that have ended

    /// <summary>Runs a program to its end. One at a time: the children's CPU time is one sum.</summary>
    /// <exception cref="MeasurementException">It cannot be started, or takes too long; then it is ended.</exception>
    public static ChildProcess Run(string program, IReadOnlyList<string> arguments, string folder, TimeSpan timeout)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        double before = ChildrenSeconds();
        var watch = Stopwatch.StartNew();
        using Process process = Start(start);
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(timeout))
        {
            process.Kill();
            process.WaitForExit();
            throw new MeasurementException($"{Path.GetFileName(program)} did not end within {timeout.TotalSeconds:0} s.");
        }

        process.WaitForExit();
        double wall = watch.Elapsed.TotalSeconds;
        return new ChildProcess(process.ExitCode, output.Result, error.Result, ChildrenSeconds() - before, wall);
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start) ?? throw new MeasurementException($"{start.FileName} does not start.");
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            throw new MeasurementException($"{start.FileName} does not start: {exception.Message}");
        }
    }

    private static double ChildrenSeconds()
    {
        if (GetUsage(Children, out Usage usage) != 0)
            throw new PlatformNotSupportedException("The operating system does not tell the CPU time of children.");
        return usage.UserSeconds + usage.SystemSeconds + ((usage.UserMicroseconds + usage.SystemMicroseconds) / 1e6);
    }

    [DllImport("libc", EntryPoint = "getrusage")]
    private static extern int GetUsage(int who, out Usage usage);

    // The first two of sixteen fields; the rest is not of interest.
    [StructLayout(LayoutKind.Sequential, Size = 144)]
    private readonly struct Usage
    {
        public readonly long UserSeconds;
        public readonly long UserMicroseconds;
        public readonly long SystemSeconds;
        public readonly long SystemMicroseconds;
    }
}
