using System.Runtime.CompilerServices;

// The hot path of the CPU reads the filter's tables; tests look inside.
[assembly: InternalsVisibleTo("Mmu86.Cpu")]
[assembly: InternalsVisibleTo("Mmu86.Tests")]
[assembly: InternalsVisibleTo("Mmu86.Conformance.Tests")]

// Walks keep their scratch space on the stack and write every word of it before they read it.
[module: SkipLocalsInit]
