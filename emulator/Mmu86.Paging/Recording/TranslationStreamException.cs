namespace Mmu86.Paging;

/// <summary>Words that are no translation stream.</summary>
/// <param name="message">What is wrong, in a sentence without a full stop.</param>
public sealed class TranslationStreamException(string message) : Exception(message);
