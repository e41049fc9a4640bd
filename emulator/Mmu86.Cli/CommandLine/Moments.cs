using Mmu86.Lab.Diagnostics;

namespace Mmu86.Cli.CommandLine;

/// <summary>Reads WHERE and address arguments.</summary>
internal static class Moments
{
    /// <summary>A moment of a run.</summary>
    /// <exception cref="UserErrorException">Status 64.</exception>
    public static Where Read(string option, string text) => Where.Parse(text, out string problem) ?? throw UserErrorException.Usage($"{option}: {problem}");

    /// <summary>An address.</summary>
    /// <exception cref="UserErrorException">Status 64.</exception>
    public static AddressExpression ReadAddress(string option, string text) =>
        AddressExpression.Parse(text, out string problem) ?? throw UserErrorException.Usage($"{option}: {problem}");
}
