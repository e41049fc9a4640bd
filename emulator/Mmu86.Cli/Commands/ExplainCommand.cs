using System.CommandLine;
using System.Text;
using Mmu86.Cli.CommandLine;
using Mmu86.Lab;
using Mmu86.Lab.Diagnostics;
using Mmu86.Lab.Running;
using Mmu86.Paging;

namespace Mmu86.Cli.Commands;

/// <summary><c>mmu86 explain PROGRAM --at WHERE --address A</c>: one translation told as a story.</summary>
internal static class ExplainCommand
{
    /// <summary>The command.</summary>
    /// <param name="guestWords">What followed <c>--</c>.</param>
    /// <param name="streams">Where the story and the guest's output go.</param>
    public static Command Create(string[] guestWords, StandardStreams streams)
    {
        var command = new Command("explain", "One translation told as a story, every reference of the walk");
        GuestOptions guest = GuestOptions.AddTo(command, guestWords);
        Option<string?> at = GuestOptions.Text("--at", "WHERE", "The moment: entry, a symbol, an address, or #N for before instruction N");
        Option<string?> address = GuestOptions.Text("--address", "A", "The linear address: hex, decimal, a register or a symbol, with + or - offsets");
        Option<string?> access = GuestOptions.Text("--access", "read|write|fetch", "The access that is asked about [default: read]");
        Option<string?> json = GuestOptions.Text("--json", "FILE|-", "Write the translation as one JSON object instead");
        command.Add(at);
        command.Add(address);
        command.Add(access);
        command.Add(json);
        command.SetAction(parsed =>
        {
            Where moment = Moments.Read("--at", parsed.GetValue(at) ?? throw UserErrorException.Usage("--at is missing: entry, a symbol, an address, or #N"));
            AddressExpression expression = Moments.ReadAddress(
                "--address", parsed.GetValue(address) ?? throw UserErrorException.Usage("--address is missing: hex, decimal, a register or a symbol"));
            AccessKind kind = Values.Choice<AccessKind>("--access", parsed.GetValue(access) ?? "read", [
                new("read", AccessKind.Read), new("write", AccessKind.Write), new("fetch", AccessKind.Fetch)]);
            return Explain(GuestOptions.RequireModel("explain", guest.Read(parsed)), moment, expression, kind, parsed.GetValue(json), streams);
        });
        return command;
    }

    private static int Explain(RunOptions options, Where at, AddressExpression address, AccessKind kind, string? jsonPath, StandardStreams streams)
    {
        using ReportTarget? json = ReportTarget.Open("--json", jsonPath, streams);
        using var interruption = new Interruption();
        using var guestOutput = new GuestStream(streams.Error, "standard error");
        Explanation explanation;
        try
        {
            explanation = GuestExplainer.Explain(options, new GuestOutput(guestOutput, guestOutput, guestOutput), at, address, kind, interruption.Token);
        }
        catch (OperationCanceledException)
        {
            throw new UserErrorException(interruption.Status, "interrupted");
        }

        if (json is null)
        {
            streams.Print(Tell(options, explanation));
            return ExitStatus.Success;
        }

        TranslationRecord record = new TranslationRecords(options.Machine).Build(explanation);
        json.Write(TranslationRecords.ToJson(record).Span);
        json.Write("\n"u8);
        json.Complete();
        return ExitStatus.Success;
    }

    private static string Tell(RunOptions options, Explanation explanation)
    {
        InstructionText instruction = explanation.Instruction;
        var text = new StringBuilder();
        text.Append($"{options.Program.Name} on {options.Machine.Name}, {(options.Paging == PagingMode.Nested ? "nested" : "native")} paging, before instruction #{instruction.Number} ");
        text.Append($"at L:0x{instruction.Rip:x}{(explanation.Place is null ? "" : $" ({explanation.Place})")}: {instruction.Text ?? "(cannot be fetched)"}\n");
        text.Append($"{explanation.Expression} is {explanation.Trace.Linear}.\n\n");
        text.Append(WalkStory.Tell(explanation.Trace, explanation.Tables, explanation.Context, options.Machine.Mmu.Nested.Format));
        return text.ToString();
    }
}
