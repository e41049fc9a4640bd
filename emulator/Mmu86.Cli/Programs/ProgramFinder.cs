using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Reports;
using Mmu86.X86;

namespace Mmu86.Cli.Programs;

/// <summary>Turns PROGRAM into an image: a bundled guest by its name, else a file by its path.</summary>
internal static class ProgramFinder
{
    // A guest is some megabytes; what is far larger is a mistake, and reading it would only take the host's memory.
    private const int MaximumFileBytes = 1 << 29;

    /// <summary>Finds or builds the image.</summary>
    /// <param name="program">What the user wrote.</param>
    /// <param name="arguments">The guest's arguments. A bundled guest is built with them.</param>
    /// <param name="guestPage">The page size that the loader will map it with.</param>
    /// <param name="memoryBytes">The machine's memory, of which an argument may be a share.</param>
    /// <exception cref="UserErrorException">Status 65: neither guest nor readable file.</exception>
    /// <exception cref="GuestArgumentException">A bundled guest does not take the arguments.</exception>
    public static ProgramImage Find(string program, IReadOnlyList<string> arguments, PageSize guestPage, ulong memoryBytes)
    {
        byte[] bytes = GuestCatalogue.Find(program) is { } guest
            ? guest.Build(new GuestBuildOptions { Arguments = arguments, GuestPage = RunReportBuilder.NameOf(guestPage), MemoryBytes = memoryBytes })
            : ReadFile(program);
        return new ProgramImage { Name = program, Bytes = bytes, Arguments = arguments };
    }

    /// <summary>Reads a file that is no bundled guest.</summary>
    /// <exception cref="UserErrorException">Status 65: not readable.</exception>
    public static ProgramImage FindFile(string path) => new() { Name = path, Bytes = ReadFile(path), Arguments = [] };

    private static byte[] ReadFile(string path)
    {
        if (Directory.Exists(path))
            throw new UserErrorException(ExitStatus.BadInput, $"{path} is a directory");
        if (!File.Exists(path))
            throw new UserErrorException(ExitStatus.BadInput, Missing(path));
        return BoundedFile.Read(path, MaximumFileBytes, out string problem) ?? throw new UserErrorException(ExitStatus.BadInput, $"{path} {problem}");
    }

    private static string Missing(string program) => program.Contains('/')
        ? $"there is no file {program}"
        : $"there is no guest and no file '{program}'{(Suggestion.Nearest(program, GuestFinder.Names) is string near ? $"; did you mean '{near}'?" : "; see 'mmu86 list guests'")}";
}
