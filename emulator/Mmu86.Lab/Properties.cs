using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("Mmu86.Tests")]
