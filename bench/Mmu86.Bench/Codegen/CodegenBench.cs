using System.Diagnostics;

namespace Mmu86.Bench.Codegen;

/// <summary>Listings of the code that the JIT makes of hot handlers, to be read when a hot path changes.</summary>
internal static class CodegenBench
{
    /// <summary>The subcommand of the process in which the JIT lists what it compiles.</summary>
    public const string CompileWord = "codegen-compile";

    private const string ListingHeader = "; Assembly listing for method ";

    /// <summary><c>codegen FOLDER</c>: writes a listing of every handler of the list.</summary>
    public static void Run(CommandWords words)
    {
        string folder = words.TakeWord("The folder");
        words.End();
        string temporary = Path.GetTempFileName();
        try
        {
            Compile(temporary);
            Dictionary<string, string> listings = Read(temporary);
            foreach (ListedHandler handler in ListedHandler.All)
            {
                if (!listings.TryGetValue(handler.JitName, out string? listing))
                    throw new MeasurementException($"The JIT listed no {handler.JitName}.");
                File.WriteAllText(Path.Combine(folder, handler.FileName), listing);
            }
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>What the other process does.</summary>
    public static void CompileAll()
    {
        foreach (ListedHandler handler in ListedHandler.All)
            handler.Compile();
    }

    private static void Compile(string listing)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, [CompileWord]);
        start.Environment["DOTNET_JitStdOutFile"] = listing;
        start.Environment["DOTNET_JitDisasm"] = string.Join(' ', ListedHandler.All.Select(handler => handler.Method).Distinct());
        start.Environment["DOTNET_JitDisasmDiffable"] = "1";

        // What every x86-64-v3 computer has, so that listings do not depend on which one made them.
        start.Environment["DOTNET_EnableAVX512"] = "0";
        using Process process = Process.Start(start)!;
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new MeasurementException($"The process that compiles ended with status {process.ExitCode}.");
    }

    // From a method's name without parameters to its listing.
    private static Dictionary<string, string> Read(string path)
    {
        var listings = new Dictionary<string, string>();
        foreach (string text in File.ReadAllText(path).Split(ListingHeader).Skip(1))
        {
            string name = text[..(text.IndexOf('(') + 1)];
            IEnumerable<string> lines = (ListingHeader + text).Split('\n').Select(line => line.TrimEnd()).Where(IsOfInterest);
            listings[name] = $"; .NET {Environment.Version.ToString(2)}\n{string.Join('\n', lines)}\n";
        }

        return listings;
    }

    private static bool IsOfInterest(string line) => line.Length != 0 && !line.StartsWith("; ====", StringComparison.Ordinal);
}
