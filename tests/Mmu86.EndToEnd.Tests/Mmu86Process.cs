using System.Diagnostics;
using System.Text;
using Mmu86.Cli.CommandLine;

namespace Mmu86.EndToEnd.Tests;

/// <summary>Runs the built <c>mmu86</c> as a user does: as a process of its own.</summary>
internal static class Mmu86Process
{
    // Far more than any run of these tests takes; a run that hangs shall not hang the test run.
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(120);

    /// <summary>Runs it to its end.</summary>
    /// <param name="words">The command line.</param>
    public static ProcessResult Run(params string[] words) => Run(new Dictionary<string, string>(), words);

    /// <summary>Runs it to its end with additional environment variables.</summary>
    public static ProcessResult Run(IReadOnlyDictionary<string, string> environment, params string[] words)
    {
        using Process process = Start(environment, words);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_limit))
        {
            process.Kill();
            throw new TimeoutException($"mmu86 {string.Join(' ', words)} did not end");
        }

        return new ProcessResult(process.ExitCode, output.Result, error.Result);
    }

    /// <summary>Runs it inside this process: for what happens before a guest runs.</summary>
    public static ProcessResult RunInside(params string[] words)
    {
        using var output = new MemoryStream();
        using var error = new MemoryStream();
        int status = Application.Run(words, new StandardStreams(output, error));
        return new ProcessResult(status, Encoding.UTF8.GetString(output.ToArray()), Encoding.UTF8.GetString(error.ToArray()));
    }

    /// <summary>Starts it; the caller waits for it.</summary>
    public static Process Start(IReadOnlyDictionary<string, string> environment, params string[] words)
    {
        // A shell's background jobs ignore SIGINT and so would what the test run starts: env puts signals back.
        var start = new ProcessStartInfo("env")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            StandardOutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
            StandardErrorEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
        };
        start.ArgumentList.Add("--default-signal=INT,TERM");
        start.ArgumentList.Add("dotnet");
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "mmu86.dll"));
        foreach (string word in words)
            start.ArgumentList.Add(word);
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        Process process = Process.Start(start)!;
        process.StandardInput.Close();
        return process;
    }
}
