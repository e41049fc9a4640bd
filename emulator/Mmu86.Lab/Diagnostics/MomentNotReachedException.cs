namespace Mmu86.Lab.Diagnostics;

/// <summary>A run ended before the moment that was asked for, or the moment means nothing. The message is one sentence without a full stop.</summary>
public sealed class MomentNotReachedException(string message) : Exception(message);
