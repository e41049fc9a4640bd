using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Mmu86.Tests")]
[assembly: InternalsVisibleTo("Mmu86.Conformance.Tests")]
[assembly: InternalsVisibleTo("Mmu86.Bench")]
