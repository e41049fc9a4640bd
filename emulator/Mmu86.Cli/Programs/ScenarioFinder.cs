using Mmu86.GuestPrograms;
using Mmu86.Lab;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Scenarios;
using Mmu86.X86;

namespace Mmu86.Cli.Programs;

/// <summary>Turns SCENARIO into what runs on what: a bundled scenario by its name, else a file by its path.</summary>
internal static class ScenarioFinder
{
    /// <summary>Finds and reads a scenario, its programs too.</summary>
    /// <param name="scenario">What the user wrote.</param>
    /// <param name="reading">What the file does not say; its name and lookup are set here.</param>
    /// <exception cref="UserErrorException">Status 65: neither scenario nor readable file.</exception>
    /// <exception cref="ConfigurationException">It is wrong; carries every error.</exception>
    public static Scenario Find(string scenario, ScenarioReading reading)
    {
        byte[]? bytes = ScenarioCatalogue.Find(scenario);
        string what = bytes is null ? $"scenario file {scenario}" : $"scenario {scenario}";
        string folder = bytes is null ? Path.GetDirectoryName(Path.GetFullPath(scenario))! : "";
        bytes ??= ReadFile(scenario);
        return ScenarioJson.Read(
            bytes,
            reading with
            {
                Name = Path.GetFileNameWithoutExtension(scenario),
                Folder = folder,
                FindProgram = (string program, IReadOnlyList<string> arguments, ulong memory, out string problem) =>
                    FindProgram(program, arguments, folder, memory, out problem),
            },
            out IReadOnlyList<ConfigurationError> errors)
            ?? throw new ConfigurationException(what, ConfigurationOrigin.File, errors);
    }

    private static byte[] ReadFile(string path)
    {
        if (Directory.Exists(path))
            throw new UserErrorException(ExitStatus.BadInput, $"{path} is a directory");
        if (!File.Exists(path))
        {
            string hint = Suggestion.Nearest(path, ScenarioCatalogue.Names) is string near ? $"; did you mean '{near}'?" : "; see 'mmu86 list scenarios'";
            throw new UserErrorException(ExitStatus.BadInput, $"there is no scenario and no file '{path}'{hint}");
        }

        return BoundedFile.Read(path, ScenarioJson.MaximumBytes, out string problem) ?? throw new UserErrorException(ExitStatus.BadInput, $"{path} {problem}");
    }

    // Paths are relative to the scenario's file, so that a folder of both can be moved.
    private static ProgramImage? FindProgram(string program, IReadOnlyList<string> arguments, string folder, ulong memory, out string problem)
    {
        problem = "";
        try
        {
            bool isGuest = GuestCatalogue.Find(program) is not null;
            return ProgramFinder.Find(isGuest || folder.Length == 0 ? program : Path.Combine(folder, program), arguments, PageSize.Size4K, memory);
        }
        catch (Exception exception) when (exception is UserErrorException or GuestArgumentException)
        {
            problem = exception.Message.TrimEnd('.');
            return null;
        }
    }
}
