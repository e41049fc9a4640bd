namespace Mmu86.GuestPrograms;

/// <summary>A guest was asked for something that it does not take. The message is one sentence for the user.</summary>
public sealed class GuestArgumentException(string message) : Exception(message);
