using System.Runtime.CompilerServices;

// Pointers to the backing stay inside the rooms that may be unsafe.
[assembly: InternalsVisibleTo("Mmu86.Paging")]
[assembly: InternalsVisibleTo("Mmu86.Cpu")]
[assembly: InternalsVisibleTo("Mmu86.Tests")]
