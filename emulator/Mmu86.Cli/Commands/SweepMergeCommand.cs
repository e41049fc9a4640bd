using System.CommandLine;
using Mmu86.Cli.CommandLine;
using Mmu86.Cli.Rendering;
using Mmu86.Lab.Sweeps;
using Mmu86.Lab.Sweeps.Output;

namespace Mmu86.Cli.Commands;

/// <summary><c>mmu86 sweep merge FILES...</c>: the shards of a sweep as one result, equal to the unsharded one to the byte.</summary>
internal static class SweepMergeCommand
{
    /// <summary>The command.</summary>
    public static Command Create(StandardStreams streams)
    {
        var command = new Command("merge", "Puts the JSON results of all shards of a sweep together");
        var files = new Argument<string[]>("FILES") { Description = "The JSON results, in any order", Arity = ArgumentArity.OneOrMore };
        command.Add(files);
        ResultTargetOptions targetOptions = ResultTargetOptions.AddTo(command);
        var quiet = new Option<bool>("--quiet") { Description = "No table on the terminal" };
        command.Add(quiet);
        command.SetAction(parsed =>
        {
            SweepResult result = SweepMerge.Merge([.. parsed.GetValue(files)!.Select(file => (file, SweepJson.ReadFile(file)))]);
            using ResultTargets targets = targetOptions.Open(parsed, streams);
            targets.Write(() => SweepJson.Write(result), () => SweepCsv.Write(result), () => SweepPage.Write(result));
            if (!parsed.GetValue(quiet) && !targets.UseStandardOutput)
                SweepTable.Write(result, streams);
            return 0;
        });
        return command;
    }
}
