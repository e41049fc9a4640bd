using System.Runtime.CompilerServices;

// What the end-to-end tests say about wrong command lines needs no process for each.
[assembly: InternalsVisibleTo("Mmu86.EndToEnd.Tests")]
