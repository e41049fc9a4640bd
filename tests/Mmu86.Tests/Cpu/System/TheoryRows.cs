using Xunit;

namespace Mmu86.Tests.Cpu;

/// <summary>Lines of a table, each a case.</summary>
public sealed class TheoryRows : TheoryData<string>;
