namespace Mmu86.EndToEnd.Tests;

/// <summary>What a process left behind.</summary>
/// <param name="Status">Its exit status.</param>
/// <param name="Output">Its standard output.</param>
/// <param name="Error">Its standard error.</param>
internal sealed record ProcessResult(int Status, string Output, string Error);
