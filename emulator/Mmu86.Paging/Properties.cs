using System.Runtime.CompilerServices;

// The hot path of the CPU reads the filter's tables; tests look inside.
[assembly: InternalsVisibleTo("Mmu86.Cpu")]
[assembly: InternalsVisibleTo("Mmu86.Tests")]
