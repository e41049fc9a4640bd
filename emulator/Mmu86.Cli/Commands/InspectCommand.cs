using System.CommandLine;
using System.Text;
using Mmu86.Cli.CommandLine;
using Mmu86.Lab;
using Mmu86.Lab.Diagnostics;
using Mmu86.Lab.Reports;
using Mmu86.Lab.Running;

namespace Mmu86.Cli.Commands;

/// <summary><c>mmu86 inspect PROGRAM [ARGS...]</c>: every instruction's translations, as text or JSON lines.</summary>
internal static class InspectCommand
{
    /// <summary>The command.</summary>
    /// <param name="guestWords">What followed <c>--</c>.</param>
    /// <param name="streams">Where translations and the guest's output go.</param>
    public static Command Create(string[] guestWords, StandardStreams streams)
    {
        var command = new Command("inspect", "Every instruction's translations, as text or JSON lines");
        GuestOptions guest = GuestOptions.AddTo(command, guestWords);
        Option<string?> from = GuestOptions.Text("--from", "WHERE", "Begin there: entry, a symbol, an address, or #N for before instruction N [default: entry]");
        Option<string?> count = GuestOptions.Text("--count", "N", "End after so many instructions [default: at the end of the run]");
        Option<string?> json = GuestOptions.Text("--json", "FILE|-", "Write JSON lines instead of text, one for each access");
        Option<string?> html = GuestOptions.Text("--html", "FILE", "One self-contained page (not available yet)");
        command.Add(from);
        command.Add(count);
        command.Add(json);
        command.Add(html);
        command.SetAction(parsed =>
        {
            if (parsed.GetValue(html) is not null)
                throw UserErrorException.NotYet("--html is not available yet");
            var inspection = new InspectionOptions
            {
                From = Moments.Read("--from", parsed.GetValue(from) ?? "entry"),
                Count = parsed.GetValue(count) is string text ? Values.Number("--count", text) : null,
            };
            return Inspect(GuestOptions.RequireModel("inspect", guest.Read(parsed)), inspection, parsed.GetValue(json), streams);
        });
        return command;
    }

    private static int Inspect(RunOptions options, InspectionOptions inspection, string? jsonPath, StandardStreams streams)
    {
        using ReportTarget? json = ReportTarget.Open("--json", jsonPath, streams);
        using var interruption = new Interruption();
        using var error = new GuestStream(streams.Error, "standard error");
        // Translations have standard output for themselves, unless they go to a file.
        bool usesOutput = json is null or { IsStandardOutput: true };
        using var guestOutput = new GuestStream(usesOutput ? streams.Error : streams.Output, usesOutput ? "standard error" : "standard output");
        using var lines = new GuestStream(streams.Output, "standard output");
        IInspectionSink sink = json is null ? new TextSink(lines) : new JsonSink(json, new TranslationRecords(options.Machine));
        ExitReport? end = null;
        try
        {
            end = new GuestInspector().Run(options, new GuestOutput(guestOutput, error, error), inspection, sink, interruption.Token);
        }
        catch (OperationCanceledException)
        {
            end = new ExitReport { Kind = ExitKind.Limit, Status = interruption.Status, Detail = "interrupted" };
        }

        lines.Flush();
        json?.Complete();
        if (end is { Kind: not ExitKind.Exited, Detail: string detail })
            streams.Diagnose($"{options.Program.Name}: {detail}");
        return end?.Status ?? ExitStatus.Success;
    }

    private sealed class TextSink(Stream target) : IInspectionSink
    {
        private readonly InspectionText _text = new();

        public void Accessed(InstructionText instruction, InspectedAccess access) => target.Write(Encoding.UTF8.GetBytes(_text.Describe(instruction, access)));
    }

    private sealed class JsonSink(ReportTarget target, TranslationRecords records) : IInspectionSink
    {
        public void Accessed(InstructionText instruction, InspectedAccess access)
        {
            target.Write(TranslationRecords.ToJson(records.Build(instruction, access)).Span);
            target.Write("\n"u8);
        }
    }
}
