namespace Mmu86.TestKit;

/// <summary>A class of tests that takes long: it starts before others, so that no processor waits for it at the end.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class LongTestsAttribute : Attribute;
