using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Mmu86.Lab.Configuration;
using Mmu86.Lab.Machines;

namespace Mmu86.Lab.Sweeps;

/// <summary>A file with the passes of a sweep that are complete, so that an interrupted sweep can go on.</summary>
public sealed class SweepCheckpoint
{
    private readonly string _path;
    private readonly string _fingerprint;
    private readonly Dictionary<string, SweepPassResult> _passes = [];

    private SweepCheckpoint(string path, string fingerprint)
    {
        _path = path;
        _fingerprint = fingerprint;
    }

    /// <summary>Opens the file, or prepares to write it where it does not exist.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="options">The sweep.</param>
    /// <exception cref="ConfigurationException">It is no such file, or one of another sweep.</exception>
    public static SweepCheckpoint Open(string path, SweepOptions options)
    {
        var checkpoint = new SweepCheckpoint(path, Fingerprint(options));
        if (!File.Exists(path))
            return checkpoint;
        CheckpointDocument document;
        try
        {
            document = JsonSerializer.Deserialize(File.ReadAllBytes(path), CheckpointJsonContext.Default.CheckpointDocument) ?? throw new JsonException();
        }
        catch (JsonException exception)
        {
            string where = exception.LineNumber is long line ? $" at line {line + 1}, byte {exception.BytePositionInLine + 1}" : "";
            throw Refused(path, $"is no file of a sweep's passes{where}");
        }

        if (document.Schema != CheckpointDocument.SchemaName)
            throw Refused(path, $"is '{document.Schema}', not '{CheckpointDocument.SchemaName}'");
        if (document.Sweep != checkpoint._fingerprint)
            throw Refused(path, "belongs to another sweep: program, machine, options and grid must be the same");
        foreach (CheckpointPass pass in document.Passes)
            checkpoint._passes[pass.Name] = pass.Result;
        return checkpoint;
    }

    /// <summary>A pass that is complete, or null.</summary>
    internal SweepPassResult? Find(string pass) => _passes.GetValueOrDefault(pass);

    /// <summary>Adds a pass to the file, which is at every moment whole.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    internal void Keep(string pass, SweepPassResult result)
    {
        _passes[pass] = result;
        var document = new CheckpointDocument
        {
            Sweep = _fingerprint,
            Passes = [.. _passes.Select(pair => new CheckpointPass(pair.Key, pair.Value))],
        };
        string beside = $"{_path}.new";
        try
        {
            File.WriteAllBytes(beside, JsonSerializer.SerializeToUtf8Bytes(document, CheckpointJsonContext.Default.CheckpointDocument));
            File.Move(beside, _path, overwrite: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            File.Delete(beside);
            throw new IOException($"--resume: {_path} cannot be written", exception);
        }
    }

    // Everything that decides the rows.
    private static string Fingerprint(SweepOptions options)
    {
        var text = new StringBuilder().AppendLine(options.Source.Fingerprint);
        foreach (RunOptions run in options.Runs)
        {
            text.AppendLine($"{run.Paging} {run.GuestPage} {run.HostPage} {run.MemoryBytes} {run.HostMemoryBytes} {run.MaxInstructions} {run.Seed}")
                .AppendLine($"{run.Personality} {run.Format} {run.LoadAddress} {run.Entry} {string.Join(' ', run.Modules.Select(module => module.Sha256))}")
                .Append(MachineJson.Write(run.Machine));
        }

        text.AppendLine($"{options.Classifies} {options.Shard} {options.Grid.Name}");
        foreach (Grids.LruFamilyRequest family in options.Grid.Families)
            text.AppendLine($"{family.IsInstruction} {family.PageSize} {string.Join(',', family.Sets)} {string.Join(',', family.Ways)}");
        if (options.Grid.Models is { } models)
        {
            text.AppendLine($"{models.Structure} {models.PageSize} {models.Array}");
            foreach (IReadOnlyList<string> settings in models.Settings)
                text.AppendLine(string.Join(' ', settings));
        }

        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    private static ConfigurationException Refused(string path, string problem) => new($"resume file {path}", ConfigurationOrigin.File, [new("", problem)]);
}
